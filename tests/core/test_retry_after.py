"""Retry-After, RFC 9110 section 10.2.3."""

from datetime import UTC, datetime

import pytest

from apps.core.retry_after import parse_retry_after

pytestmark = pytest.mark.no_database

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("86401", 86400.0),
        ("9" * 400, 86400.0),
        ("Mon, 02 Mar 2026 12:00:30 GMT", 30.0),
        ("Mon, 02 Mar 2026 11:00:00 GMT", 0.0),
        ("Mon, 02 Mar 2037 11:00:00 GMT", 86400.0),
        (None, None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("nan", None),
        ("٣", None),
        ("Mon, 02 Mar 99999999999999999999 12:00:30 GMT", None),
        ("Mon, 02 Mar 2026 12:00:30 +99999999999999999999", None),
    ],
)
def test_parse(value, seconds):
    assert parse_retry_after(value, now=NOW) == seconds
