"""Canonical JSON against the vectors of RFC 8785, and the JSON form of what services hand over."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st

from apps.core.api.permissions import Permission
from apps.core.canonical import canonical_json, canonical_plain, jsonable

pytestmark = pytest.mark.no_database


@pytest.mark.parametrize("name", ["arrays", "structures", "values"])
def test_canonical_json_is_that_of_the_rfc(realdata: Path, name: str) -> None:
    folder = realdata / "crypto_vectors" / "jcs_rfc8785"
    expected = bytes.fromhex("".join((folder / f"{name}.outhex.txt").read_text().split()))
    assert canonical_json(json.loads((folder / f"{name}.input.json").read_text())) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1.500E+3"), "1500"),
        (Decimal("-0.0"), "0"),
        (datetime(2026, 3, 2, 12, tzinfo=UTC), "2026-03-02T12:00:00Z"),
        (datetime(2026, 3, 2, 12, 0, 0, 5, tzinfo=UTC), "2026-03-02T12:00:00.000005Z"),
        (datetime(2026, 3, 2, 12, tzinfo=timezone(timedelta(hours=2))), "2026-03-02T10:00:00Z"),
        (date(2026, 3, 2), "2026-03-02"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (2**53 - 1, 2**53 - 1),
        (2**53, "9007199254740992"),
        (True, True),
        (None, None),
        (Permission.AUDIT_READ, "audit:read"),
        (gettext_lazy("Audit"), "Audit"),
        ({"amount": [None, (Decimal("1.10"),)]}, {"amount": [None, ["1.1"]]}),
    ],
)
def test_values_have_one_json_form(value: Any, expected: Any) -> None:
    assert jsonable(value) == expected
    assert type(jsonable(value)) is type(expected)


@pytest.mark.parametrize("value", [1.5, b"x", {1, 2}, object()])
def test_what_has_no_exact_form_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="no exact JSON form"):
        jsonable({"field": [value]})


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(TypeError, match="without a zone"):
        jsonable(datetime(2026, 3, 2))


plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(value=plain_values)
def test_the_quick_way_to_canonical_json_comes_to_the_same(value: Any) -> None:
    plain = jsonable(value)
    assert canonical_plain(plain) == canonical_json(plain)


def test_the_quick_way_escapes_every_character_alike() -> None:
    for code in (*range(0x80), 0x2028, 0xD7FF, 0xE000, 0xFFFF, 0x1F600, 0x10FFFF):
        value = {f"a{chr(code)}": f"{chr(code)}b", "a": 1, "\U0001f600": 2, "\ue000": 3}
        assert canonical_plain(value) == canonical_json(value), code
