"""POST /webhooks/endpoints/{id}/check-signature: what a client has received, against what it was sent."""

from typing import Any

import pytest

from apps.webhooks.signing import new_key, shown
from tests import databases
from tests.factories.webhooks import make_endpoint, relay, send_due
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.commits


def received(acme: Any, database: str) -> tuple[Any, dict[str, Any]]:
    """Return an endpoint with its secret, and the request that it has received."""
    with Receiver() as receiver:
        made = make_endpoint(acme, receiver.url)
        databases.log_in("worker", database)
        relay(acme)
        send_due()
        databases.log_in("web", database)
    (request,) = receiver.received
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    return made, {"headers": {name: request.headers[name] for name in names}, "body": request.body.decode()}


def check(client: Any, endpoint: Any, body: dict[str, Any]) -> Any:
    return client.post(f"/api/v1/webhooks/endpoints/{endpoint.id}/check-signature", body, format="json")


def wrongs(answer: Any) -> list[str]:
    return [step["code"] for step in answer.json()["steps"] if step["outcome"] == "wrong"]


def test_a_request_is_checked_with_the_endpoints_own_secret(acme: Any, acme_admin: Any, database: str) -> None:
    made, request = received(acme, database)
    answer = check(acme_admin, made.endpoint, request)
    assert (answer.status_code, answer.json()["is_right"], answer["Cache-Control"]) == (200, True, "no-store")
    assert [step["code"] for step in answer.json()["steps"]] == [
        "headers_are_there",
        "timestamp_is_fresh",
        "body_is_as_sent",
        "signature_matches",
    ]
    assert answer.json()["steps"][3]["text"].startswith("The current secret made signature 1 of 1")


def test_what_was_changed_or_never_sent_is_told(acme: Any, acme_admin: Any, database: str) -> None:
    made, request = received(acme, database)
    changed = check(acme_admin, made.endpoint, {**request, "body": request["body"] + "\n"})
    assert (wrongs(changed), changed.json()["is_right"]) == (
        ["body_is_not_as_sent", "body_has_a_trailing_newline"],
        False,
    )
    other = make_endpoint(acme).endpoint
    assert wrongs(check(acme_admin, other, request)) == ["id_is_unknown", "signature_does_not_match"]


def test_a_secret_that_is_given_is_told_from_the_endpoints(acme: Any, acme_admin: Any, database: str) -> None:
    made, request = received(acme, database)
    assert wrongs(check(acme_admin, made.endpoint, {**request, "secret": made.secret})) == []
    foreign = check(acme_admin, made.endpoint, {**request, "secret": shown(new_key())})
    assert wrongs(foreign) == ["secret_is_another_one", "signature_does_not_match"]
    broken = check(acme_admin, made.endpoint, {**request, "secret": made.secret[:-5]})
    assert wrongs(broken) == ["secret_is_no_base64"]


def test_after_a_rotation_the_secret_before_is_named(acme: Any, acme_admin: Any, database: str) -> None:
    made, request = received(acme, database)
    url = f"/api/v1/webhooks/endpoints/{made.endpoint.id}/rotate-secret"
    assert acme_admin.post(url, {"grace_seconds": 3600}, format="json").status_code == 200
    steps = check(acme_admin, made.endpoint, request).json()["steps"]
    assert steps[-1]["text"].startswith("The secret before, in its grace, made signature 1 of 1")


def test_nothing_of_it_is_logged_or_answered(acme: Any, acme_admin: Any, database: str, caplog: Any) -> None:
    made, request = received(acme, database)
    answer = check(acme_admin, made.endpoint, {**request, "secret": made.secret, "computed_signature": "x"})
    for text in (answer.content.decode(), caplog.text):
        assert made.secret not in text
        assert made.secret.removeprefix("whsec_") not in text
        assert request["headers"]["webhook-signature"] not in text
        assert '"client_order_id"' not in text
