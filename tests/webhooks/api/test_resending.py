"""POST /webhooks/deliveries/retry: many at once, by their ids or by a filter over what was lost."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.canonical import jsonable
from apps.core.ids import new_id
from apps.core.scope import tenant_scope, write_scope
from apps.webhooks.models import Delivery, Endpoint
from apps.webhooks.services import send_test_event, update_endpoint
from tests.factories.webhooks import make_endpoint, statuses_of

URL = "/api/v1/webhooks/deliveries/retry"


def lose(tenant, count: int) -> tuple[Endpoint, list[str]]:
    """Return an endpoint with so many discarded deliveries, and their ids."""
    endpoint = make_endpoint(tenant).endpoint
    actor = system_actor("tests", tenant_id=tenant.id)
    ids = [str(send_test_event(endpoint_id=endpoint.id, actor=actor, now=clock.now()).id) for _ in range(count)]
    for status in ("disabled", "enabled"):
        update_endpoint(endpoint_id=endpoint.id, status=status, actor=actor, now=clock.now())
    assert statuses_of(endpoint) == ["discarded"] * count
    return endpoint, ids


def disable(endpoint: Endpoint) -> None:
    actor = system_actor("tests", tenant_id=endpoint.tenant_id)
    update_endpoint(endpoint_id=endpoint.id, status="disabled", actor=actor, now=clock.now())


def retry(client, **body: Any) -> tuple[int, Any]:
    answer = client.post(URL, body, format="json")
    return answer.status_code, answer.json()


def leaves(tenant) -> list[tuple[str, dict[str, Any]]]:
    with tenant_scope(tenant.id):
        rows = AuditEntry.objects.filter(action="webhook_endpoint.deliveries_retried").order_by("position")
        return list(rows.values_list("target_id", "changes"))


def test_those_named_are_sent_again_and_a_leaf_an_endpoint_tells_which(acme, acme_admin) -> None:
    (one, ids), (other, others) = lose(acme, 3), lose(acme, 1)
    named = [ids[0], ids[2], others[0], ids[0]]
    assert retry(acme_admin, ids=named) == (202, {"queued_again": 3, "has_more": False})
    assert (statuses_of(one), statuses_of(other)) == (["pending", "discarded", "pending"], ["pending"])
    assert leaves(acme) == [
        (str(one.id), {"retried": [None, 2], "asked_for": [None, [ids[0], ids[2]]]}),
        (str(other.id), {"retried": [None, 1], "asked_for": [None, others]}),
    ]


def test_all_of_them_or_none(acme, globex, acme_admin) -> None:
    one, ids = lose(acme, 2)
    _theirs, foreign = lose(globex, 1)
    disabled, stopped = lose(acme, 1)
    disable(disabled)
    for named, expected in (
        ([*ids, str(new_id())], (404, "not_found")),
        ([*ids, *foreign], (404, "not_found")),
        ([*ids, *stopped], (409, "endpoint_disabled")),
    ):
        status, answer = retry(acme_admin, ids=named)
        assert (status, answer["code"]) == expected
    assert (statuses_of(one), leaves(acme)) == (["discarded"] * 2, [])


def test_a_filter_takes_what_was_lost_at_endpoints_that_are_enabled(acme, acme_admin) -> None:
    (one, _ids), (other, _others), (stopped, _) = lose(acme, 2), lose(acme, 1), lose(acme, 1)
    disable(stopped)
    later = (clock.now() + timedelta(hours=1)).isoformat()
    for nothing in (
        {"status": "failed"},
        {"event_type": "order.filled"},
        {"since": later},
        {"until": "2026-01-01T00:00:00Z"},
    ):
        assert retry(acme_admin, **nothing) == (202, {"queued_again": 0, "has_more": False})
    assert retry(acme_admin, endpoint=str(other.id)) == (202, {"queued_again": 1, "has_more": False})
    assert statuses_of(one) == ["discarded"] * 2
    found = {"status": "discarded", "event_type": "webhook.test", "until": later}
    assert retry(acme_admin, **found) == (202, {"queued_again": 2, "has_more": False})
    assert (statuses_of(one), statuses_of(stopped)) == (["pending"] * 2, ["discarded"])
    assert [changes["asked_for"][1] for _id, changes in leaves(acme)] == [
        {"endpoint_id": str(other.id)},
        {"status": "discarded", "event_type": "webhook.test", "until": jsonable(datetime.fromisoformat(later))},
    ]
    assert retry(acme_admin) == (202, {"queued_again": 0, "has_more": False})
    status, answer = retry(acme_admin, endpoint=str(stopped.id))
    assert (status, answer["code"]) == (409, "endpoint_disabled")
    assert retry(acme_admin, endpoint=str(new_id()))[0] == 404


def test_a_filter_goes_on_where_it_was(acme, acme_admin) -> None:
    endpoint, _ids = lose(acme, 1)
    with tenant_scope(acme.id):
        known = Delivery.objects.get()
    actor, now = system_actor("tests", tenant_id=acme.id), clock.now()
    with write_scope(actor):
        Delivery.objects.bulk_create(
            Delivery(
                tenant_id=acme.id, endpoint=endpoint, event_id=new_id(), event_type="order.filled", entity_id=new_id(),
                sequence=2 + number, body=known.body, status="discarded", created_at=now, finished_at=now,
            )
            for number in range(500)
        )  # fmt: skip
    assert retry(acme_admin) == (202, {"queued_again": 500, "has_more": True})
    assert statuses_of(endpoint) == ["pending"] * 500 + ["discarded"]
    assert retry(acme_admin) == (202, {"queued_again": 1, "has_more": False})


@pytest.mark.parametrize(
    "body",
    [
        {"ids": []},
        {"ids": ["x"]},
        {"ids": [str(new_id())] * 201},
        {"ids": [str(new_id())], "status": "failed"},
        {"status": "succeeded"},
        {"status": "pending"},
        {"since": "yesterday"},
        {"everything": True},
    ],
)
def test_what_is_refused(acme, acme_admin, body: dict[str, Any]) -> None:
    endpoint, _ids = lose(acme, 1)
    status, answer = retry(acme_admin, **body)
    assert (status, answer["code"]) == (400, "validation_failed")
    assert statuses_of(endpoint) == ["discarded"]
