"""The form of API keys."""

import hashlib
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.tokens import hash_token
from apps.tenants import secrets
from apps.tenants.enums import ApiKeyMode

pytestmark = pytest.mark.no_database

BODY = "fop_test_" + "A" * 43
KEY = BODY + "1rzlBe"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_a_key_names_its_mode_and_has_256_random_bits_and_a_checksum() -> None:
    for mode in ApiKeyMode:
        secret = secrets.new_secret(mode)
        assert re.fullmatch(rf"fop_{mode.value}_[0-9A-Za-z]{{49}}", secret)
        assert secrets.is_well_formed(secret)
        assert secret != secrets.new_secret(mode)


def test_the_checksum_is_crc32_in_base62() -> None:
    assert secrets.checksum(BODY) == KEY[-6:]
    assert secrets.checksum("") == "000000"
    # zlib.crc32(b"123456789") is 0xCBF43926, the check value of CRC-32/ISO-HDLC.
    value = sum(
        ALPHABET.index(digit) * 62**place for place, digit in enumerate(reversed(secrets.checksum("123456789")))
    )
    assert value == 0xCBF43926


@given(position=st.integers(0, len(KEY) - 1), character=st.sampled_from(ALPHABET))
def test_every_mistyped_character_is_noticed(position: int, character: str) -> None:
    mistyped = KEY[:position] + character + KEY[position + 1 :]
    assert secrets.is_well_formed(mistyped) is (mistyped == KEY)


@pytest.mark.parametrize(
    "text", ["", "fop_test_", KEY[:-1], KEY + "A", KEY + "\n", " " + KEY, KEY.upper(), "é" + KEY[1:]]
)
def test_other_texts_are_no_keys(text: str) -> None:
    assert secrets.is_well_formed(KEY)
    assert not secrets.is_well_formed(text)


def test_a_key_is_stored_as_sha256_and_shown_by_its_beginning() -> None:
    assert hash_token(KEY) == hashlib.sha256(KEY.encode()).digest()
    assert secrets.shown_prefix(KEY) == "fop_test_AAAAAA"


def test_checking_a_key_costs_far_less_than_a_query() -> None:
    started = time.process_time()
    for _ in range(1000):
        assert secrets.is_well_formed(KEY)
        hash_token(KEY)
    assert (time.process_time() - started) / 1000 < 0.0002
