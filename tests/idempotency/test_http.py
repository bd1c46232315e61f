"""One effect and one answer per key: what is kept, what is replayed, what leaves the key free."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from rest_framework.test import APIClient

from apps.core.scope import staff_scope
from apps.idempotency.models import IdempotencyRecord
from apps.outbox.models import OutboxEvent

pytestmark = pytest.mark.urls("tests.idempotency.shop")

ACME = UUID("0198c5a0-0000-7000-8000-00000000000a")
GLOBEX = UUID("0198c5a0-0000-7000-8000-00000000000b")
Post = Callable[..., Any]


@pytest.fixture
def post() -> Post:
    client = APIClient(raise_request_exception=False)

    def send(
        body: Any = None,
        *,
        key: str | None = "key-1",
        path: str = "/shop/a/purchases",
        tenant: UUID = ACME,
        **headers: str,
    ) -> Any:
        raw = body if isinstance(body, str) else json.dumps({"amount": "1.50"} if body is None else body)
        keys = {} if key is None else {"Idempotency-Key": key}
        return client.post(
            path, raw, content_type="application/json", headers={"X-Tenant": str(tenant), **keys, **headers}
        )

    return send


def _effects() -> int:
    with staff_scope():
        return OutboxEvent.objects.count()


def _records() -> int:
    with staff_scope():
        return IdempotencyRecord.objects.count()


def test_the_first_answer_comes_again_byte_for_byte(post: Post) -> None:
    first = post()
    again = post()
    assert first.status_code == again.status_code == 201
    assert again.content == first.content
    assert first.json()["amount"] == "1.5"
    for header in ("Location", "ETag", "Content-Type"):
        assert again[header] == first[header]
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert "X-Cost" not in again
    assert (_effects(), _records()) == (1, 1)


def test_a_client_whose_api_key_was_exchanged_gets_the_first_answer(post: Post) -> None:
    first = post(**{"X-Key": str(ACME)})
    again = post(**{"X-Key": str(GLOBEX)})
    assert (again.status_code, again.content, again["Idempotency-Replayed"]) == (201, first.content, "true")
    assert (_effects(), _records()) == (1, 1)


def test_a_secret_is_not_told_to_another_principal(post: Post) -> None:
    first = post(path="/shop/a/vouchers", **{"X-Key": str(ACME)})
    other = post(path="/shop/a/vouchers", **{"X-Key": str(GLOBEX)})
    assert (first.status_code, other.status_code, other.json()["code"]) == (201, 422, "idempotency_key_reused")
    assert (_effects(), _records()) == (1, 1)


def test_whoever_may_see_single_objects_alone_gets_no_answer_about_others(post: Post) -> None:
    first = post(**{"X-Key": str(ACME)})
    other = post(**{"X-Key": str(GLOBEX), "X-Account": str(GLOBEX)})
    assert (first.status_code, other.status_code, other.json()["code"]) == (201, 422, "idempotency_key_reused")
    assert (_effects(), _records()) == (1, 1)


def test_an_answer_without_a_body_comes_again(post: Post) -> None:
    body = {"amount": "1", "outcome": "204"}
    first, again = post(body), post(body)
    assert (first.status_code, first.content) == (again.status_code, again.content) == (204, b"")
    assert again["Idempotency-Replayed"] == "true"
    assert _effects() == 1


@pytest.mark.parametrize("outcome", ["409", "422"])
def test_a_refusal_is_an_outcome_and_its_changes_are_undone(post: Post, outcome: str) -> None:
    body = {"amount": "1", "outcome": outcome}
    first = post(body, **{"X-Request-ID": "first"})
    again = post(body, **{"X-Request-ID": "second"})
    assert first.status_code == again.status_code == int(outcome)
    assert first["Content-Type"] == again["Content-Type"] == "application/problem+json"
    assert again.content == first.content
    assert again.json()["request_id"] == "first"
    assert again["X-Request-ID"] == "second"
    assert again["Idempotency-Replayed"] == "true"
    assert (_effects(), _records()) == (0, 1)


def test_a_refusal_keeps_its_own_members(post: Post) -> None:
    problem = post({"amount": "1", "outcome": "409"}).json()
    assert (problem["code"], problem["detail"], problem["left"]) == ("test_sold_out", "None is left.", 0)


@pytest.mark.parametrize("outcome", ["403", "412", "413", "429", "500", "503"])
def test_other_failures_undo_everything_and_leave_the_key_free(post: Post, outcome: str) -> None:
    assert post({"amount": "1", "outcome": outcome}).status_code == int(outcome)
    assert (_effects(), _records()) == (0, 0)
    assert post().status_code == 201
    assert (_effects(), _records()) == (1, 1)


def test_an_invalid_body_leaves_the_key_free(post: Post) -> None:
    for body in ({}, {"amount": "much"}, {"amount": "1", "colour": "red"}, "{", "[]"):
        assert post(body).status_code == 400
    assert (_effects(), _records()) == (0, 0)
    assert post().status_code == 201


def test_not_found_comes_before_the_body_is_looked_at(post: Post) -> None:
    for body in ("{", {"amount": "much"}):
        refused = post(body, path="/shop/missing/purchases")
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    assert _records() == 0


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"amount": "2"}, "/shop/a/purchases"),
        ({"amount": 1.5}, "/shop/a/purchases"),
        ({"amount": "1.50"}, "/shop/b/purchases"),
        ("{", "/shop/a/purchases"),
        ("", "/shop/a/purchases"),
    ],
)
def test_a_key_with_another_request_is_refused(post: Post, body: Any, path: str) -> None:
    first = post({"amount": "1.50"})
    refused = post(body, path=path)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert (_effects(), _records()) == (1, 1)
    assert post({"amount": "1.50"}).content == first.content


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ('{"amount":"1.50","outcome":"201"}', '{ "outcome": "201",\n  "amount": "1.50" }'),
        ('{"amount":"1.50"}', '{"\\u0061mount":"\\u0031.50"}'),
        ('{"amount":"1.50"}', '{"amount":"7","amount":"1.50"}'),  # the last one counts, here as in every answer
    ],
    ids=["order and whitespace", "escapes", "a member twice"],
)
def test_notation_does_not_make_another_request(post: Post, first: str, again: str) -> None:
    assert post(first).status_code == 201
    assert post(again)["Idempotency-Replayed"] == "true"
    assert (_effects(), _records()) == (1, 1)


NUMBERS = [
    ("100", "1e2", True),
    ("100", "100.0", True),
    ("1.5", "150e-2", True),
    ("0", "-0.0", True),
    ("0.1", "0.1000000000000000055511151231257827", False),  # one and the same in binary floating point
    ("9007199254740992", "9007199254740993", False),
    ("1e400", "1e401", False),
    ("1e400", "10e399", True),
    ("1", '"1"', False),
]


@pytest.mark.parametrize(("first", "again", "is_same"), NUMBERS)
def test_a_number_is_its_exact_value(post: Post, first: str, again: str, is_same: bool) -> None:
    assert post(f'{{"amount":"1","note":{first}}}').status_code == 201
    answer = post(f'{{"amount":"1","note":{again}}}')
    assert answer.status_code == (201 if is_same else 422)
    assert (_effects(), _records()) == (1, 1)


def test_a_missing_body_is_an_empty_object(post: Post) -> None:
    assert post("", path="/shop/missing/purchases").status_code == 404
    assert post("").status_code == 400
    assert _records() == 0


def test_without_a_key_each_request_is_carried_out(post: Post) -> None:
    first, second = post(key=None), post(key=None)
    assert first.status_code == second.status_code == 201
    assert first.json()["id"] != second.json()["id"]
    assert (_effects(), _records()) == (2, 0)


def test_a_failure_without_a_key_undoes_everything(post: Post) -> None:
    assert post({"amount": "1", "outcome": "409"}, key=None).status_code == 409
    assert _effects() == 0


def test_an_endpoint_may_require_the_key(post: Post) -> None:
    refused = post(key=None, path="/shop/a/payments")
    assert (refused.status_code, refused.json()["code"]) == (400, "idempotency_key_required")
    assert _effects() == 0
    assert post(path="/shop/a/payments").status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\u00e9", "tab\there"])
def test_a_key_is_1_to_255_printable_ascii_characters(post: Post, key: str) -> None:
    refused = post(key=key)
    assert (refused.status_code, refused.json()["code"]) == (400, "idempotency_key_invalid")
    assert _effects() == 0


@pytest.mark.parametrize("key", ["x", "x" * 255, " ~!\"'%"])
def test_any_printable_key_is_taken(post: Post, key: str) -> None:
    first = post(key=key)
    assert first.status_code == 201
    assert post(key=key).content == first.content


def test_tenants_do_not_share_keys(post: Post) -> None:
    ours, theirs = post(tenant=ACME), post(tenant=GLOBEX)
    assert ours.json()["id"] != theirs.json()["id"]
    assert "Idempotency-Replayed" not in theirs
    assert (_effects(), _records()) == (2, 2)


def test_an_answer_with_a_secret_is_stored_encrypted_and_replayed_in_clear(post: Post) -> None:
    first = post(path="/shop/a/vouchers")
    assert post(path="/shop/a/vouchers").content == first.content
    with staff_scope(), connection.cursor() as cursor:
        cursor.execute("SELECT body, body_expires_at - created_at = interval '24 hours' FROM idempotency_record")
        body, a_day = cursor.fetchone()
    assert first.json()["id"].encode() not in bytes(body)
    assert a_day
