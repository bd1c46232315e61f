"""Pwned Passwords' range API: https://haveibeenpwned.com/API/v3#SearchingPwnedPasswordsByRange."""

import re

import httpx
import pytest

from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.no_database
# The SHA-1 of “correct horse battery staple”, in two parts.
PREFIX, REST = "ABF7A", "AD6438836DBE526AA231ABDE2D0EEF74D42"


def get(sandbox: SandboxProcess, prefix: str, **headers: str) -> httpx.Response:
    return httpx.get(f"{sandbox.url}/pwnedpasswords/range/{prefix}", verify=False, headers=headers)


def test_a_range_lists_how_hashes_go_on_and_how_often_each_was_seen(sandbox: SandboxProcess) -> None:
    answer = get(sandbox, PREFIX)
    lines = answer.text.split("\r\n")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert f"{REST}:384" in lines
    assert len(lines) == 41
    assert all(re.fullmatch(r"[0-9A-F]{35}:[1-9][0-9]*", line) for line in lines)
    assert lines == sorted(lines)
    assert get(sandbox, PREFIX.lower()).text == answer.text


def test_padding_hides_how_many_there_are(sandbox: SandboxProcess) -> None:
    lines = get(sandbox, PREFIX, **{"Add-Padding": "true"}).text.split("\r\n")
    assert 800 <= len(lines) <= 1000
    assert sum(not line.endswith(":0") for line in lines) == 41


@pytest.mark.parametrize("prefix", ["ABF7", "ABF7AA", "ABF7G"])
def test_what_is_no_prefix_is_refused(sandbox: SandboxProcess, prefix: str) -> None:
    answer = get(sandbox, prefix)
    assert (answer.status_code, answer.text) == (400, "The hash format was not in a valid format")
