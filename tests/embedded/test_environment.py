"""Addresses and keys reach the processes that need them, and no other."""

import base64
from pathlib import Path

import pytest

from finops.embedded.environment import (
    PROJECT,
    for_command,
    for_sandbox,
    for_web,
    for_worker,
    home_path,
    platform_environment,
    port,
    read_dotenv,
)
from finops.embedded.errors import EmbeddedError
from finops.embedded.home import Home

pytestmark = pytest.mark.no_database

URLS = {
    "DATABASE_URL": "postgresql://finops_web@db/finops",
    "DATABASE_WORKER_URL": "postgresql://finops_worker@db/finops",
    "DATABASE_OWNER_URL": "postgresql://finops_owner@db/finops",
    "REDIS_URL": "redis://valkey/0",
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_keys_are_generated_once_and_addresses_follow_the_ports(home: Home) -> None:
    first = platform_environment({"FINOPS_PORT": "9000", **URLS}, home)
    assert first["FINOPS_BASE_URL"] == "http://127.0.0.1:9000"
    assert first["FINOPS_SANDBOX_URL"] == "http://127.0.0.1:8010"
    assert first["DJANGO_SETTINGS_MODULE"] == "finops.settings.embedded"
    assert first["FINOPS_HOME"] == str(home.path)
    rings = [
        Path(first[name]) for name in ("FINOPS_FIELD_KEYS_FILE", "FINOPS_TOKEN_KEYS_FILE", "FINOPS_AUDIT_KEYS_FILE")
    ]
    assert [ring.stat().st_mode & 0o777 for ring in rings] == [0o600, 0o600, 0o600]
    for ring in rings:
        identifier, _, key = ring.read_text().partition(":")
        assert (identifier, len(base64.b64decode(key))) == ("k1", 32)
    assert len({ring.read_text() for ring in rings}) == 3
    assert platform_environment({"FINOPS_PORT": "9000", **URLS}, home) == first


def test_what_the_caller_sets_wins(home: Home) -> None:
    environment = platform_environment({"FINOPS_BASE_URL": "http://finops.test", **URLS}, home)
    assert environment["FINOPS_BASE_URL"] == "http://finops.test"


def test_audit_logs_keep_their_name_whatever_the_port_is_at_the_next_start(home: Home) -> None:
    names = [
        platform_environment({**URLS, **port}, home)["FINOPS_AUDIT_NAME"] for port in ({"FINOPS_PORT": "9000"}, {})
    ]
    assert names == ["127.0.0.1:9000"] * 2
    assert platform_environment({**URLS, "FINOPS_AUDIT_NAME": "old"}, home)["FINOPS_AUDIT_NAME"] == "old"


def test_keys_that_the_caller_sets_are_not_doubled_by_a_file(home: Home) -> None:
    environment = platform_environment({"FINOPS_FIELD_KEYS": "k7:its-own", **URLS}, home)
    assert environment["FINOPS_FIELD_KEYS"] == "k7:its-own"
    assert "FINOPS_FIELD_KEYS_FILE" not in environment
    assert not (home.path / "keys" / "field_keys").exists()


def test_the_keys_of_an_older_home_move_into_files(home: Home) -> None:
    home.write("secrets.json", {"field_keys": "k1:as-it-was", "other": "stays"})
    environment = platform_environment(URLS, home)
    assert Path(environment["FINOPS_FIELD_KEYS_FILE"]).read_text() == "k1:as-it-was"
    assert home.read("secrets.json").keys() == {"audit_name", "other", "secret_key", "teller_webhook_secret"}


def test_each_process_logs_in_as_its_role(home: Home) -> None:
    environment = platform_environment(URLS, home)
    assert for_web(environment)["DATABASE_URL"] == URLS["DATABASE_URL"]
    assert for_worker(environment)["DATABASE_URL"] == URLS["DATABASE_WORKER_URL"]
    assert "DATABASE_OWNER_URL" not in for_web(environment)
    assert "DATABASE_OWNER_URL" not in for_worker(environment)


def test_web_has_no_key_to_sign_checkpoints_with(home: Home) -> None:
    for environment in (platform_environment(URLS, home), platform_environment({"FINOPS_AUDIT_KEYS": "k1:x"}, home)):
        assert any(name.startswith("FINOPS_AUDIT_KEYS") for name in for_worker({**URLS, **environment}))
        assert not any(name.startswith("FINOPS_AUDIT_KEYS") for name in for_web(environment))


def test_only_web_has_a_pool_unless_the_caller_says_otherwise(home: Home) -> None:
    environment = platform_environment(URLS, home)
    assert for_web(environment)["FINOPS_DB_POOL_SIZE"] == "8"
    assert "FINOPS_DB_POOL_SIZE" not in {**for_worker(environment), **for_command(environment)}
    assert for_web({**environment, "FINOPS_DB_POOL_SIZE": "0"})["FINOPS_DB_POOL_SIZE"] == "0"


def test_the_home_is_in_the_project_unless_named() -> None:
    assert home_path({}) == home_path({"FINOPS_HOME": ""}) == PROJECT / ".finops"
    assert home_path({"FINOPS_HOME": "~/finops"}) == Path.home() / "finops"


def test_without_a_login_of_its_own_the_worker_shares_the_webs(home: Home) -> None:
    urls = {name: value for name, value in URLS.items() if name != "DATABASE_WORKER_URL"}
    assert for_worker(platform_environment(urls, home))["DATABASE_URL"] == URLS["DATABASE_URL"]


def test_the_sandbox_knows_nothing_of_the_platform(home: Home) -> None:
    environment = for_sandbox(platform_environment({"PATH": "/bin", **URLS}, home))
    assert " ".join(sorted(environment)) == (
        "DJANGO_SETTINGS_MODULE FINOPS_BASE_URL FINOPS_HOME FINOPS_SANDBOX_URL PATH PYTHONUNBUFFERED"
    )


def test_dotenv_lines(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# ours\n\nA=1\nexport B = 'two words'\nC=\"x # y\"\nD=z # a remark\nE=a=b\n")
    assert read_dotenv(file) == {"A": "1", "B": "two words", "C": "x # y", "D": "z", "E": "a=b"}
    assert read_dotenv(tmp_path / "absent") == {}


def test_a_dotenv_line_that_is_no_assignment_is_named(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\nnonsense\n")
    with pytest.raises(EmbeddedError) as refused:
        read_dotenv(file)
    assert str(refused.value) == f"{file}, line 2 is not NAME=value: correct or remove it."


@pytest.mark.parametrize("value", ["web", "0", "65536", "-1", ""])
def test_a_port_must_be_one(value: str) -> None:
    with pytest.raises(EmbeddedError, match=r"^FINOPS_PORT must be a port number from 1 to 65535, not "):
        port({"FINOPS_PORT": value}, "FINOPS_PORT", 8000)
