"""What strangers say is shown on pages for staff, whatever it is."""

import json

import pytest

from apps.core.admin import pretty
from apps.webhooks.admin.display import readable

pytestmark = pytest.mark.no_database

HALF = '{"said":"\\ud83d"}'  # half of a character, which no page can hold


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('{"access_token":"abc","said":"\\u00fc"}', '{"access_token": "[redacted]", "said": "ü"}'),
        (HALF, '{"said": "?"}'),
        ("[" * 1024, "[" * 1024),
        ("[" * 500 + "]" * 500, "[" * 500 + "]" * 500),
        ("whsec_abcdefgh and more", "[redacted] and more"),
    ],
    ids=["a secret", "half a character", "nested without an end", "nested deeply", "no JSON"],
)
def test_what_a_receiver_said_is_readable(said: str, shown: str) -> None:
    assert readable(said) == shown
    assert shown.encode()


def test_json_of_strangers_makes_a_page() -> None:
    assert pretty(json.loads(HALF)).encode() == b'{\n  "said": "?"\n}'
