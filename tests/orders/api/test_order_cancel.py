"""POST /orders/{id}/cancel."""

from collections import Counter
from typing import Any

import pytest

from apps.core.scope import tenant_scope
from apps.jobs.models import Job
from apps.orders.enums import OrderStatus, Pending
from apps.orders.models import Order, OrderEvent
from apps.orders.rules.states import OPEN_STATES, TERMINAL_STATES
from tests.conftest import client_for
from tests.factories.orders import Desk, make_desk, make_kill_switch, make_order, read_order
from tests.factories.tenants import make_api_key
from tests.orders.intake import URL, body_of, post, traces


@pytest.fixture
def desk(acme) -> Desk:
    return make_desk(acme)


def cancel(client: Any, order: Order, **headers: str) -> Any:
    return client.post(f"{URL}/{order.id}/cancel", headers=headers)


def events_of(order: Order) -> list[str]:
    with tenant_scope(order.tenant_id):
        return list(OrderEvent.objects.filter(order=order).order_by("sequence").values_list("type", flat=True))


def jobs_of(order: Order) -> list[tuple[str, str]]:
    with tenant_scope(order.tenant_id):
        return [(job.kind, job.payload["order_id"]) for job in Job.objects.filter(unique_key=str(order.id))]


SENT = sorted(OPEN_STATES - {OrderStatus.APPROVED})


@pytest.mark.parametrize("status", SENT)
def test_an_order_that_may_be_at_the_venue_is_pending(status: OrderStatus, desk: Desk, acme_trader):
    order = make_order(desk, status)
    answer = cancel(acme_trader, order)
    assert (answer.status_code, answer["ETag"]) == (202, '"2"')
    assert (answer.json()["status"], answer.json()["pending"], answer.json()["version"]) == (status, "cancel", 2)
    assert events_of(order)[1:] == ["order.cancel_requested"]
    assert jobs_of(order) == [("order.cancel", str(order.id))]
    before = traces(order.tenant_id)
    again = cancel(acme_trader, order)
    assert (again.status_code, again.json()) == (202, answer.json())
    assert traces(order.tenant_id) == before, "asking again changes nothing"


def test_an_order_that_has_not_left_is_denied_at_once(desk: Desk, acme, acme_trader):
    placed = post(acme_trader, body_of(desk)).json()
    with tenant_scope(acme.id):
        order = Order.objects.get(id=placed["id"])
    answer = cancel(acme_trader, order)
    shown = answer.json()
    assert (answer.status_code, answer["ETag"], shown["status"], shown["pending"]) == (202, '"3"', "denied", "none")
    assert shown["denial"] == {
        "code": "canceled_before_submission",
        "detail": "It was canceled before it was sent.",
    }
    assert (shown["reserved"], shown["closed_at"]) == ("0", shown["updated_at"])
    assert events_of(order) == ["order.approved", "order.cancel_requested", "order.denied"]
    assert [kind for kind, _id in jobs_of(order)] == ["order.submit"], "which will find nothing to send"


@pytest.mark.parametrize("status", sorted(TERMINAL_STATES))
def test_what_has_come_to_its_end_is_closed(status: OrderStatus, desk: Desk, acme_trader):
    order = make_order(desk, status)
    before = traces(order.tenant_id)
    answer = cancel(acme_trader, order)
    assert (answer.status_code, answer.json()["code"]) == (409, "order_closed")
    assert traces(order.tenant_id) == before


def test_an_order_whose_replacement_is_on_its_way(desk: Desk, acme_trader):
    order = make_order(desk, OrderStatus.ACCEPTED, pending=Pending.REPLACE)
    replacement = make_order(desk, OrderStatus.SUBMITTING, replaces=order)
    answer = cancel(acme_trader, order)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "order_change_pending")
    assert problem["replacement_id"] == str(replacement.id)
    assert (read_order(order).pending, jobs_of(order)) == ("replace", [])


def test_an_order_whose_replacement_has_not_left(desk: Desk, acme_trader):
    order = make_order(desk, OrderStatus.ACCEPTED, pending=Pending.REPLACE)
    replacement = make_order(desk, OrderStatus.APPROVED, replaces=order)
    answer = cancel(acme_trader, order)
    assert (answer.status_code, answer.json()["pending"]) == (202, "cancel")
    assert read_order(replacement).denial_code == "canceled_before_submission"
    assert jobs_of(order) == [("order.cancel", str(order.id))]
    assert events_of(order)[-2:] == ["order.replace_refused", "order.cancel_requested"]


def test_a_kill_switch_does_not_stop_a_cancel(desk: Desk, acme_trader):
    order = make_order(desk, OrderStatus.ACCEPTED)
    make_kill_switch(desk, engaged=True)
    assert cancel(acme_trader, order).status_code == 202


def test_of_another_version_it_is_refused(desk: Desk, acme_trader):
    order = make_order(desk, OrderStatus.ACCEPTED)
    answer = cancel(acme_trader, order, **{"If-Match": '"7"'})
    assert (answer.status_code, answer.json()["code"]) == (412, "version_conflict")
    assert (read_order(order).pending, jobs_of(order)) == ("none", [])
    assert cancel(acme_trader, order, **{"If-Match": '"1"'}).status_code == 202


def test_the_same_key_has_the_same_answer(desk: Desk, acme_trader):
    order = make_order(desk, OrderStatus.ACCEPTED)
    first, again = (cancel(acme_trader, order, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (again.content, again["Idempotency-Replayed"]) == (first.content, "true")
    assert Counter(events_of(order))["order.cancel_requested"] == 1


def test_a_test_key_does_not_touch_an_order_on_a_live_account(desk: Desk, acme, acme_trader):
    order = make_order(desk, OrderStatus.ACCEPTED, mode="live")
    change = acme_trader.patch(f"{URL}/{order.id}", {"quantity": "5"}, format="json")
    for answer in (cancel(acme_trader, order), change):
        assert (answer.status_code, answer.json()["code"]) == (403, "live_account_refused")
    assert events_of(order) == ["order.accepted"]
    live = client_for(make_api_key(acme, "trader", mode="live"))
    assert cancel(live, order).status_code == 202


def test_what_is_not_ours_is_not_there(desk: Desk, globex_admin, acme_viewer):
    order = make_order(desk, OrderStatus.ACCEPTED)
    assert cancel(globex_admin, order).status_code == 404
    assert cancel(acme_viewer, order).status_code == 403
    assert events_of(order) == ["order.accepted"]
