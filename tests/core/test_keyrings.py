"""Rings of keys follow their files, without a restart, and outlive what happens to them."""

import base64
import logging
from pathlib import Path
from typing import Any

import pytest

from apps.core import crypto
from apps.core.keyrings import current_key_id, keys_of, parse_keys, render_keys
from finops.embedded.home import replace_file

pytestmark = pytest.mark.no_database

OLD = "k1:" + base64.b64encode(b"1" * 32).decode()
NEW = "k2:" + base64.b64encode(b"2" * 32).decode()


@pytest.fixture
def file(tmp_path: Path, settings: Any) -> Path:
    ring = tmp_path / "field_keys"
    ring.write_text(OLD + "\n")
    settings.FIELD_KEYS_FILE = str(ring)
    return ring


def test_a_ring_in_a_file_is_what_the_file_holds_now(file: Path) -> None:
    sealed = crypto.encrypt(b"token", bound_to="x")
    assert crypto.key_id_of(sealed) == "k1"
    replace_file(file, f"{NEW},{OLD}")
    assert crypto.key_id_of(crypto.encrypt(b"token", bound_to="x")) == "k2"
    assert crypto.decrypt(sealed, bound_to="x") == b"token"
    replace_file(file, NEW)
    with pytest.raises(crypto.DecryptionFailed, match="'k1' is not configured"):
        crypto.decrypt(sealed, bound_to="x")


@pytest.mark.parametrize("damaged", [None, "", "k1", "k1:short"])
def test_a_file_that_is_gone_or_damaged_is_reported_and_its_last_keys_count(
    file: Path, damaged: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    before = keys_of("FIELD_KEYS")
    if damaged is None:
        file.unlink()
    else:
        replace_file(file, damaged)
    with caplog.at_level(logging.ERROR):
        assert keys_of("FIELD_KEYS") == before
    assert [record.getMessage() for record in caplog.records] == ["keys.unreadable"]
    replace_file(file, NEW)
    assert current_key_id("FIELD_KEYS") == "k2"


def test_a_file_that_never_held_keys_gives_none(tmp_path: Path, settings: Any) -> None:
    settings.TOKEN_KEYS_FILE = str(tmp_path / "absent")
    with pytest.raises(ValueError, match="the keys cannot be read"):
        keys_of("TOKEN_KEYS")


def test_the_text_of_a_ring_comes_back() -> None:
    assert render_keys(parse_keys(f"{NEW}, {OLD}")) == f"{NEW},{OLD}"


def test_an_id_names_one_key() -> None:
    with pytest.raises(ValueError, match="the id 'k1' is given to two keys"):
        parse_keys(f"{OLD},{OLD}")


@pytest.mark.parametrize(
    "ring", ["{secret}", "{secret}:k2", "k1:{good},k2:{secret}x", "{secret}:", "k2,{secret}", "k2:é"]
)
def test_what_is_malformed_is_not_quoted(ring: str) -> None:
    secret = OLD.partition(":")[2]
    with pytest.raises(ValueError, match=r"key number [12] must be id:base64 of 32 bytes") as refusal:
        parse_keys(ring.format(secret=secret, good=secret))
    assert secret not in str(refusal.value)
    assert refusal.value.__cause__ is None
