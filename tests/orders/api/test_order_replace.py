"""PATCH /orders/{id}: a replacement."""

from decimal import Decimal
from typing import Any

import pytest

from apps.core.scope import tenant_scope
from apps.jobs.models import Job
from apps.orders.enums import OrderStatus, Pending
from apps.orders.models import Order, OrderEvent, RiskDecision
from apps.orders.rules.states import TERMINAL_STATES
from tests.factories.orders import Desk, make_desk, make_kill_switch, make_order, read_order, set_means
from tests.orders.intake import URL, body_of, post, traces


@pytest.fixture
def desk(acme) -> Desk:
    return make_desk(acme)


def at_venue(desk: Desk, **values: Any) -> Order:
    """Return an accepted order for ten at 190, of which the venue's figures know."""
    defaults = {"venue_order_id": "v-1", "accepted_at": desk.risk_account.created_at, "reserved": Decimal(1900)}
    return make_order(desk, values.pop("status", OrderStatus.ACCEPTED), **{**defaults, **values})


def replace(client: Any, order: Order, body: object, **headers: str) -> Any:
    return client.patch(f"{URL}/{order.id}", body, format="json", headers=headers)


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_the_new_order_takes_the_place_of_the_old(desk: Desk, acme, acme_trader):
    old = at_venue(desk)
    answer = replace(acme_trader, old, {"quantity": "12", "limit_price": "191", "time_in_force": "gtc"})
    new = answer.json()
    assert (answer.status_code, answer["ETag"]) == (200, '"1"')
    assert (new["replaces"], new["status"], new["pending"], new["version"]) == (str(old.id), "approved", "none", 1)
    assert (new["side"], new["type"], new["quantity"], new["limit_price"]) == ("buy", "limit", "12", "191")
    assert (new["time_in_force"], new["reserved"], new["client_order_id"]) == ("gtc", "2292", new["id"])
    was = read_order(old)
    assert (was.status, was.pending, was.version, was.quantity) == ("accepted", "replace", 2, Decimal(10))
    with tenant_scope(acme.id):
        told = OrderEvent.objects.get(order=old, sequence=2)
        job = Job.objects.get(kind="order.replace")
    assert (told.type, told.data["replacement_id"]) == ("order.replace_requested", new["id"])
    assert job.payload == {"order_id": new["id"]}


def test_what_is_not_named_stays(desk: Desk, acme_trader):
    old = at_venue(desk, type="stop_limit", stop_price=Decimal(189))
    new = replace(acme_trader, old, {"limit_price": "189.5", "quantity": None}).json()
    assert (new["type"], new["quantity"], new["limit_price"], new["stop_price"]) == ("stop_limit", "10", "189.5", "189")


def test_of_an_order_executed_in_part_what_is_left_is_replaced(desk: Desk, acme_trader):
    old = at_venue(
        desk,
        status=OrderStatus.PARTIALLY_FILLED,
        filled_quantity=Decimal(4),
        average_fill_price=Decimal(189),
        reserved=Decimal(1896),
    )
    assert replace(acme_trader, old, {"limit_price": "189.5"}).json()["quantity"] == "6"


def test_a_replacement_may_use_what_the_old_one_reserved(desk: Desk, acme, acme_trader):
    """2,000 are free beside the 1,900 of the order: 20 at 190 need 3,800, 21 would need 3,990."""
    old = at_venue(desk)
    set_means(desk, buying_power=Decimal(2000))
    refused = replace(acme_trader, old, {"quantity": "21"}).json()
    assert (refused["status"], refused["denial"]["code"]) == ("denied", "insufficient_buying_power")
    assert replace(acme_trader, old, {"quantity": "20"}).json()["status"] == "approved"
    with tenant_scope(acme.id):
        assert [decision.outcome for decision in RiskDecision.objects.order_by("id")] == ["denied", "approved"]


def test_a_denied_replacement_leaves_the_old_order_alone(desk: Desk, acme, acme_trader):
    old = at_venue(desk)
    make_kill_switch(desk, engaged=True)
    answer = replace(acme_trader, old, {"quantity": "5"})
    new = answer.json()
    assert (answer.status_code, new["status"], new["replaces"]) == (200, "denied", str(old.id))
    assert new["denial"]["code"] == "kill_switch_engaged"
    was = read_order(old)
    assert (was.pending, was.version) == ("none", 1)
    with tenant_scope(acme.id):
        assert not Job.objects.filter(kind="order.replace").exists()


@pytest.mark.parametrize("status", sorted(TERMINAL_STATES))
def test_what_has_come_to_its_end_is_closed(status: OrderStatus, desk: Desk, acme_trader):
    old = at_venue(desk, status=status)
    before = traces(old.tenant_id)
    assert problem(replace(acme_trader, old, {"quantity": "5"})) == (409, "order_closed")
    assert traces(old.tenant_id) == before


@pytest.mark.parametrize("status", [OrderStatus.APPROVED, OrderStatus.SUBMITTING, OrderStatus.UNKNOWN])
def test_what_the_venue_has_not_confirmed(status: OrderStatus, desk: Desk, acme_trader):
    old = at_venue(desk, status=status, venue_order_id="", accepted_at=None)
    before = traces(old.tenant_id)
    assert problem(replace(acme_trader, old, {"quantity": "5"})) == (409, "order_not_at_venue")
    assert traces(old.tenant_id) == before


@pytest.mark.parametrize("pending", [Pending.CANCEL, Pending.REPLACE])
def test_one_change_at_a_time(pending: Pending, desk: Desk, acme_trader):
    old = at_venue(desk, pending=pending)
    assert problem(replace(acme_trader, old, {"quantity": "5"})) == (409, "order_change_pending")


def test_all_errors_at_once(desk: Desk, acme, acme_trader):
    old = at_venue(desk)
    wrong = {"quantity": "0", "stop_price": "3", "limit_price": "1.234"}
    cases: list[tuple[Any, dict[str, str]]] = [
        ({"quantity": 5, "side": "sell"}, {"quantity": "invalid", "side": "unknown_field"}),
        (wrong, {"quantity": "not_positive", "stop_price": "not_allowed", "limit_price": "off_increment"}),
        ({}, {"quantity": "required"}),
    ]
    for body, expected in cases:
        answer = replace(acme_trader, old, body)
        assert problem(answer) == (400, "validation_failed")
        assert {error["field"]: error["code"] for error in answer.json()["errors"]} == expected
    with tenant_scope(acme.id):
        assert not RiskDecision.objects.exists()


def test_of_another_version_it_is_refused(desk: Desk, acme_trader):
    old = at_venue(desk)
    assert problem(replace(acme_trader, old, {"quantity": "5"}, **{"If-Match": '"2"'})) == (412, "version_conflict")
    assert replace(acme_trader, old, {"quantity": "5"}, **{"If-Match": '"1"'}).status_code == 200


def test_the_same_key_has_the_same_answer(desk: Desk, acme, acme_trader):
    old = at_venue(desk)
    first, again = (replace(acme_trader, old, {"quantity": "5"}, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (again.content, again["Idempotency-Replayed"]) == (first.content, "true")
    with tenant_scope(acme.id):
        assert Order.objects.exclude(id=old.id).count() == 1


def test_what_is_not_ours_is_not_there(desk: Desk, globex_admin, acme_viewer):
    old = at_venue(desk)
    assert problem(replace(globex_admin, old, {"quantity": 5})) == (404, "not_found")
    assert problem(replace(acme_viewer, old, {"quantity": "5"})) == (403, "permission_denied")


def test_while_both_are_open_both_count(desk: Desk, acme, acme_trader):
    """Ten and twelve are open, 22 x 190.02; with 135 more at 190.25 the position could pass the 30,000 of its share."""
    old = at_venue(desk)
    assert replace(acme_trader, old, {"quantity": "12"}).json()["status"] == "approved"
    body = body_of(desk, dry_run=True)
    outcomes = []
    for quantity in ("136", "135"):
        outcomes.append(post(acme_trader, {**body, "quantity": quantity}).json()["outcome"])
    assert outcomes == ["denied", "approved"]
