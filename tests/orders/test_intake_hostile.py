"""Bodies that nobody sends by accident: a 400 that names the field, never an error of ours, and nothing is left."""

from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.orders.api.order_bodies import OrderBody, ReplacementBody
from apps.orders.api.order_serializers import NewOrderSerializer, ReplacementSerializer
from tests.factories.orders import Desk, make_desk
from tests.orders.intake import URL, body_of, traces


@pytest.fixture
def desk(acme) -> Desk:
    return make_desk(acme)


def send(client: Any, raw: bytes, content_type: str = "application/json") -> Any:
    return client.generic("POST", URL, raw, content_type, headers={"Idempotency-Key": str(uuid4())})


NO_DECIMALS = [
    *['"1e3"', '"1E+3"', '"1e400"', '"NaN"', '"sNaN"', '"Infinity"', '"-Infinity"', '"0x10"', '"1_000"', '"1,5"'],
    *['" 1"', '"1 "', '"1\\n"', '"+1"', '".5"', '"1."', '""', '"-"', '"--1"', '"1.2.3"', '"1/2"'],
    *['"١٠"', '"１０"', '"१"', '"¹"', '"1\\u0000"', '"123456789012345678901"', '"1.1234567890123456789"'],
    *["1", "1.5", "1e400", "-1", "0", "true", "false", "[]", "[1]", "{}", '{"quantity":"1"}', '["1"]'],
]


@pytest.mark.parametrize("value", NO_DECIMALS)
def test_what_is_no_decimal(value: str, desk: Desk, acme, acme_trader):
    for field in ("quantity", "limit_price", "stop_price"):
        body = msgspec.json.encode(body_of(desk) | {field: msgspec.Raw(value.encode())})
        answer = send(acme_trader, body)
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")
        assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, "invalid")]
    assert traces(acme.id) == {}


@pytest.mark.parametrize(
    ("quantity", "code"),
    [
        ("0", "not_positive"),
        ("-1", "not_positive"),
        ("-0", "not_positive"),
        ("0.0000000001", "too_precise"),
        ("9" * 20, "too_large"),
        ("1" + "0" * 18, "too_large"),
        ("1.5", "off_increment"),
    ],
)
def test_decimals_that_no_order_has(quantity: str, code: str, desk: Desk, acme, acme_trader):
    answer = send(acme_trader, msgspec.json.encode(body_of(desk, quantity=quantity)))
    assert answer.status_code == 400
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [("quantity", code)]
    assert traces(acme.id) == {}


def test_trailing_zeros_are_no_precision(desk: Desk, acme_trader):
    answer = send(acme_trader, msgspec.json.encode(body_of(desk, quantity="1.000000000000", limit_price="0190.250")))
    assert (answer.json()["quantity"], answer.json()["limit_price"]) == ("1", "190.25")


NO_VALUES: dict[str, list[object]] = {
    "instrument": ["", " ", "XNAS:AAPL\0", "XNAS:ÄPL", "X" * 65, "a b", "\u202eLPAA"],
    "client_order_id": ["", " ", "a b", "x" * 49, "é", "\0", "a\r\nX-Evil: 1"],
    "side": ["BUY", "", "buy ", "sell_short", 1, True, ["buy"]],
    "type": ["trailing_stop", "", 0],
    "time_in_force": ["opg", "", None],
    "account_id": ["", "1", 5, "not-a-uuid", []],
    "dry_run": ["true", 1, 0, None],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in NO_VALUES.items() for value in values],
)
def test_values_that_are_none(field: str, value: object, desk: Desk, acme, acme_trader):
    answer = send(acme_trader, msgspec.json.encode({**body_of(desk), field: value}))
    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (400, [field])
    assert traces(acme.id) == {}


BODIES = {
    "nothing": (b"", 400),
    "no JSON": (b"{", 400),
    "null": (b"null", 400),
    "a text": (b'"order"', 400),
    "an array": (b"[" * 1000 + b"]" * 1000, 400),
    "deep": (b'{"quantity":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
    "no UTF-8": (b'{"quantity": "\xff"}', 400),
    "a thousand unknown fields": (msgspec.json.encode({f"f{number}": number for number in range(1000)}), 400),
    "too large": (b'{"quantity": "' + b"1" * 1_100_000 + b'"}', 413),
    "a digit too many": (b'{"quantity": ' + b"9" * 5000 + b"}", 400),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_that_are_none(name: str, desk: Desk, acme, acme_trader):
    raw, status = BODIES[name]
    answer = send(acme_trader, raw)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert traces(acme.id) == {}


def test_of_a_field_given_twice_the_last_counts(desk: Desk, acme_trader):
    twice = msgspec.json.encode(body_of(desk))[:-1] + b', "quantity": "2"}'
    assert send(acme_trader, twice).json()["quantity"] == "2"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_other_media_types(content_type: str, desk: Desk, acme, acme_trader):
    answer = send(acme_trader, msgspec.json.encode(body_of(desk)), content_type)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert traces(acme.id) == {}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("account_id", "instrument", "side", "type", "quantity", "limit_price", "stop_price", "time_in_force")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from([*FIELDS, "client_order_id", "dry_run", "x"]), json_values, min_size=1))
def test_whatever_is_sent_is_never_an_error_of_ours(changes: dict[str, Any], desk: Desk, acme_trader):
    try:
        raw = msgspec.json.encode({**body_of(desk), **changes})
    except UnicodeEncodeError:  # a lone surrogate is no text
        return
    answer = send(acme_trader, raw)
    assert answer.status_code in (200, 201, 400, 404), answer.content


def test_the_document_and_the_struct_of_an_order_agree():
    """A serializer documents what the struct decodes."""
    pairs: list[tuple[Any, Any]] = [(OrderBody, NewOrderSerializer), (ReplacementBody, ReplacementSerializer)]
    for struct, serializer in pairs:
        fields = {field.name: field.required for field in msgspec.structs.fields(struct)}
        assert fields == {name: field.required for name, field in serializer().fields.items()}
        assert set(struct.MESSAGES) == set(fields)
