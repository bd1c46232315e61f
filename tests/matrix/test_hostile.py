"""What nobody sends by accident: every field of every operation, with every value that ever broke an API."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.matrix.calls import call, good_body, rolled_back
from tests.matrix.contract import Contract, check_problem
from tests.matrix.owner import Owner
from tests.matrix.routes import OPERATIONS, Route, operation_id
from tests.matrix.shares import share, shared
from tests.matrix.world import World

pytestmark = pytest.mark.commits

WITH_BODY = [(route, method) for route, method in OPERATIONS if method in ("POST", "PATCH", "PUT")]
READS = [(route, method) for route, method in OPERATIONS if method == "GET" and route.is_tenants]
POSTS = [(route, method) for route, method in OPERATIONS if method == "POST"]

# Each is a whole JSON value, as it would stand after the field's name.
NEVER_JSON = {
    "NaN": b"NaN",
    "infinity": b"-Infinity",
    "a lone surrogate": rb'"\ud800"',
    "surrogates in the wrong order": rb'"\udc00\ud800"',
    "an encoded surrogate": b'"\xed\xa0\x80"',
    "no UTF-8": b'"\xff\xfe"',
    "an overlong encoding": b'"\xc0\x80"',
    "a raw control character": b'"\x00"',
    "5,000 digits": b"9" * 5000,
    "an exponent beyond all": b"1e99999999999999999999",
    "an exponent below all": b"-1e-99999999999999999999",
    "100,000 open brackets": b"[" * 100_000,
    "100,000 objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
}
NEVER_VALID = {
    "NUL": rb'"a\u0000b"',
    "100,000 characters": b'"' + b"a" * 100_000 + b'"',
    "true": b"true",
    "an array of nothings": b"[null, [], {}]",
    "an object": rb'{"\u0000": null}',
    "1e400": b"1e400",
    "1e999999999": b"1e999999999",
    "half": b"0.5",
}
# Where one of them is just what is asked for.
VALID_AFTER_ALL = {
    ("kill-switch", "engaged"): "true",
    ("orders", "dry_run"): "true",
    ("tenant", "require_mfa"): "true",
    ("webhooks/endpoints/{endpoint_id}/enable", "replay"): "true",
    ("webhooks/endpoints/{endpoint_id}/check-signature", "body"): "100,000 characters",
    ("risk/limits/{account_id}", "max_position_value"): "half",
    ("risk/limits/{account_id}", "max_concentration"): "half",
}
# Whether these are valid depends on the field; an error of ours they never are.
ODD = {
    "null": b"null",
    "an empty string": b'""',
    "spaces": b'"   "',
    "an empty array": b"[]",
    "4,000 digits": b"9" * 4000,
    "minus zero": b"-0",
    "a text of NULs' neighbours": rb'"\u0001\u001f\u007f\ufffe\uffff\u202e"',
    "beyond the basic plane": '"😀𐍈"'.encode(),
    "SQL": b'"\'; DROP TABLE tenants_tenant; --"',
    "a template": b'"{{7*7}} ${7*7} %s %(a)s {0}"',
    "CRLF": rb'"a\r\nX-Evil: 1"',
}


@pytest.fixture(autouse=True)
def globex_is_untouched(world: World, owner: Owner) -> Iterator[None]:
    before = owner.rows_of(world.globex.tenant.id)
    yield
    assert owner.rows_of(world.globex.tenant.id) == before


def with_value(world: World, route: Route, method: str, name: str, value: bytes) -> bytes:
    """Return the good body with one field's value replaced by raw JSON."""
    body: dict[str, Any] = {**(good_body(world, route, method) or {}), name: msgspec.Raw(value)}
    return msgspec.json.encode(body)


def send(world: World, route: Route, method: str, raw: bytes) -> Any:
    return call(world.client("acme_user"), method, route.url(world.acme.ids), raw=raw)


@pytest.mark.parametrize(("route", "method"), shared(WITH_BODY, turn=1), ids=operation_id)
def test_what_is_no_json(route: Route, method: str, world: World, contract: Contract, owner: Owner) -> None:
    before = owner.everything()
    # In one field for all: a body is parsed before anybody looks at its fields.
    for name in list(contract.request_fields(route, method))[:1]:
        for label, value in share(NEVER_JSON.items(), route, method):
            answer = send(world, route, method, with_value(world, route, method, name, value))
            assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request"), (name, label)
            check_problem(answer)
    assert owner.everything() == before


@pytest.mark.parametrize(("route", "method"), WITH_BODY, ids=operation_id)
def test_what_is_no_value(route: Route, method: str, world: World, contract: Contract, owner: Owner) -> None:
    """Half of the values in each field, the other half in the next one."""
    before = owner.everything()
    for index, name in enumerate(contract.request_fields(route, method)):
        for label, value in list(NEVER_VALID.items())[index % 2 :: 2]:
            if VALID_AFTER_ALL.get((route.path, name)) == label:
                continue
            answer = send(world, route, method, with_value(world, route, method, name, value))
            assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), (name, label)
            assert {error["field"].split(".")[0] for error in answer.json()["errors"]} == {name}, label
            contract.check(answer, route, method)
    assert owner.everything() == before


def send_odd(world: World, contract: Contract, route: Route, method: str, name: str, label: str) -> None:
    with rolled_back():
        answer = send(world, route, method, with_value(world, route, method, name, ODD[label]))
    assert answer.status_code < 500, (name, label, answer.content)
    contract.check(answer, route, method)


@pytest.mark.parametrize(("route", "method"), WITH_BODY, ids=operation_id)
def test_what_is_odd(route: Route, method: str, world: World, contract: Contract) -> None:
    """A third of the values in each field, others in the next one."""
    for index, name in enumerate(contract.request_fields(route, method)):
        for label in list(ODD)[index % 3 :: 3]:
            send_odd(world, contract, route, method, name, label)


@pytest.mark.prove
@pytest.mark.parametrize(("route", "method"), WITH_BODY, ids=operation_id)
def test_every_odd_value_in_every_field(route: Route, method: str, world: World, contract: Contract) -> None:
    for name in contract.request_fields(route, method):
        for label in ODD:
            send_odd(world, contract, route, method, name, label)


@pytest.mark.parametrize(("route", "method"), shared(WITH_BODY, turn=2), ids=operation_id)
def test_names_of_fields(route: Route, method: str, world: World, contract: Contract) -> None:
    if not contract.request_fields(route, method):
        return
    for name in (rb"\u0000", rb"__proto__", rb"", rb"a" * 10_000, "ключ".encode()):
        answer = send(world, route, method, b'{"' + name + b'": 1}')
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), name[:20]
        contract.check(answer, route, method)


BODIES = {
    b"{": "malformed_request",
    b"[]": "malformed_request",
    b"null": "malformed_request",
    b'{"surprise": 1}': "validation_failed",
    b'{"a": 1': "malformed_request",
}


@pytest.mark.parametrize(("route", "method"), shared(WITH_BODY, turn=0), ids=operation_id)
def test_a_body_where_none_is_taken(route: Route, method: str, world: World, contract: Contract, owner: Owner) -> None:
    if contract.request_fields(route, method):
        return
    before = owner.everything()
    for raw, code in BODIES.items():
        answer = send(world, route, method, raw)
        assert (answer.status_code, answer.json()["code"]) == (400, code), raw
        contract.check(answer, route, method)
    assert owner.everything() == before
    with rolled_back():
        assert send(world, route, method, b"{}").status_code < 300


WRONG_TYPES = [
    "text/plain",
    "application/xml",
    "multipart/form-data; boundary=x",
    "application/jsonx",
    "*",
    "/",
    "a" * 3000,
]


@pytest.mark.parametrize(("route", "method"), shared(WITH_BODY, turn=1), ids=operation_id)
def test_media_types(route: Route, method: str, world: World, contract: Contract, owner: Owner) -> None:
    if not contract.request_fields(route, method):
        return
    before, url = owner.everything(), route.url(world.acme.ids)
    raw = msgspec.json.encode(good_body(world, route, method))
    for kind in share(WRONG_TYPES, route, method):
        answer = call(world.client("acme_user"), method, url, raw=raw, content_type=kind)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type"), kind
        contract.check(answer, route, method)
    assert owner.everything() == before
    with rolled_back():
        answer = call(world.client("acme_user"), method, url, raw=raw, content_type="application/json; charset=utf-8")
        assert answer.status_code < 300


@pytest.mark.parametrize(("route", "method"), shared(OPERATIONS, turn=2), ids=operation_id)
def test_accept(route: Route, method: str, world: World) -> None:
    for accept in share(("application/xml", "text/plain;q=0.5", "nonsense"), route, method):
        offered = [renderer.media_type for renderer in route.view.renderer_classes]
        if route.path in ("docs", "redoc", "openapi.json") or accept.partition(";")[0] in offered:
            continue
        answer = call(world.client("anonymous"), method, route.url(world.acme.ids), {}, headers={"Accept": accept})
        assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
        check_problem(answer)


BAD_KEYS = ["", "x" * 256, "é", "a\tb", "a\x7f", "\x00"]


@pytest.mark.parametrize(("route", "method"), POSTS, ids=operation_id)
def test_idempotency_keys(route: Route, method: str, world: World, contract: Contract, owner: Owner) -> None:
    """Refused where they are bad; the same key with another body is 422; `/auth/*` does not look at them."""
    url, body, client = route.url(world.acme.ids), good_body(world, route, method), world.client("acme_user")
    is_accepting = route.path == "invitations/accept"
    if not (route.is_tenants or is_accepting) or route.path.startswith("auth/"):
        with rolled_back():
            assert call(client, method, url, body, headers={"Idempotency-Key": "x" * 256}).status_code < 300
        return
    before = owner.everything()
    for key in share(BAD_KEYS, route, method):
        answer = call(client, method, url, body, headers={"Idempotency-Key": key})
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid"), key
        contract.check(answer, route, method)
    assert owner.everything() == before
    with rolled_back():
        headers = {"Idempotency-Key": "x" * 255}
        first, again = (call(client, method, url, body, headers=headers) for _ in range(2))
        assert (first.status_code, first.content) == (again.status_code, again.content)
        assert (first.get("Idempotency-Replayed"), again["Idempotency-Replayed"]) == (None, "true")
        if is_accepting:
            return  # whose key it is, the token in the body says: with another it is another key
        other = call(client, method, url, {"surprise": 1}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        contract.check(other, route, method)


def test_keys_are_required_where_the_contract_says_so(world: World, contract: Contract) -> None:
    body = {"provider": "teller", "credentials": {"access_token": "test_tkn_new"}}
    answer = world.client("acme_user").post("/api/v1/connections", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_required")


ODD_NETWORKS = ["fe80::%1/64", "fe80::1%eth0", "10.0.0.1/8", "0/0", "::ffff:1.2.3.4/120", "1.2.3.4/0.0.0.0", "٣.1.1.1"]


@pytest.mark.parametrize("network", ODD_NETWORKS)
def test_a_key_that_is_taken_can_be_used(network: str, world: World) -> None:
    """A network that PostgreSQL cannot read would make every later request with the key an error."""
    body = {"name": "odd", "mode": "test", "scopes": ["tenant:read"], "allowed_networks": [network, "127.0.0.0/8"]}
    with rolled_back():
        created = call(world.client("acme_user"), "POST", "/api/v1/api-keys", body)
        assert created.status_code in (201, 400)
        if created.status_code == 201:
            headers = {"Authorization": f"Bearer {created.json()['secret']}"}
            answer = call(world.client("anonymous"), "GET", "/api/v1/me", headers=headers)
            assert answer.status_code == 200


ODD_QUERIES = {
    "orders": ["since=1591-03-14T14:40:23Z", "since=0001-01-01T00:00:00Z", "until=9999-12-31T23:59:59Z"],
    "transactions": ["since=0001-01-01", "until=9999-12-31", "search=%25_%5C", "search=%ED%A0%80", "search=%F0%9F"],
    "audit/entries": ["since=0001-01-01T00:00:00%2B14:00", "until=9999-12-31T23:59-14:00", f"target_id={'x' * 7000}"],
    "events": ["after=9223372036854775807", "after=99999999999999999999", f"type={'x' * 7000}", "entity_id=1"],
    "connections": ["provider=%25", "status=", f"provider={'x' * 51}"],
}


NO_TIMES = ["2026-01-31", "2026-01", "20260131T120000Z", "٢٠٢٦-01-31T12:00:00Z", "12:00:00Z", "now"]


@pytest.mark.parametrize("path", ["orders", "audit/entries"])
def test_a_day_is_no_time(path: str, world: World) -> None:
    for name in ("since", "until"):
        for text in NO_TIMES:
            answer = world.client("acme_user").get(f"/api/v1/{path}", {name: text})
            assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), text
            assert answer.json()["errors"] == [
                {"field": name, "code": "invalid", "message": "A time such as 2026-01-31T12:00:00Z is expected."}
            ]
        for text in ("2026-01-31T12:00:00Z", "2026-01-31T12:00+02:00", "2026-01-31 12:00:00.5-05:30"):
            assert world.client("acme_user").get(f"/api/v1/{path}", {name: text}).status_code == 200


@pytest.mark.parametrize(("route", "method"), READS, ids=operation_id)
def test_odd_queries(route: Route, method: str, world: World, contract: Contract) -> None:
    """No value of a query parameter is an error of ours; NUL is a 400 everywhere."""
    url, client = route.url(world.acme.ids), world.client("acme_user")
    for query in ODD_QUERIES.get(route.path, []):
        contract.check(client.get(f"{url}?{query}"), route, method)
    for name in route.query_fields:
        answer = client.get(f"{url}?{name}=a%00b")
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), name
        twice = client.get(f"{url}?{name}=1&{name}=1")
        assert (twice.status_code, twice.json()["code"]) == (400, "validation_failed"), name
        assert [(error["field"], error["code"]) for error in twice.json()["errors"]] == [(name, "repeated")]
