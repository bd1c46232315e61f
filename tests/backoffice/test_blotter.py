"""The blotter and an order's page: what staff read of an order, and what they can do about it."""

from decimal import Decimal

import pytest

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.scope import staff_scope, tenant_scope
from apps.incidents.models import Incident
from apps.jobs.models import Job
from apps.orders.enums import OrderStatus, Pending
from apps.orders.models import Order
from apps.orders.rules.positions import Worth
from apps.orders.services.resolving import LOOKUPS_BEFORE_LOST
from apps.outbox.models import OutboxEvent
from tests.backoffice.desk import Trade, make, make_delivery
from tests.backoffice.test_actions import choose, leaves, press, read
from tests.backoffice.test_pages import get
from tests.backoffice.world import World
from tests.factories.incidents import make_incident
from tests.factories.orders import make_decision

BLOTTER = "/admin/orders/order/"


def ids_on(client, query: str) -> set[str]:
    """Return the client order ids that the blotter shows for a query."""
    page = client.get(f"{BLOTTER}?{query}")
    assert page.status_code == 200
    return {order.client_order_id for order in page.context["cl"].result_list}


def page_of(order: Order) -> str:
    return f"{BLOTTER}{order.pk}/change/"


@pytest.fixture
def trade(world: World) -> Trade:
    return world.acme.trade


def test_the_blotter_shows_side_type_quantities_prices_status_and_denial(staff_client, trade: Trade):
    text = get(staff_client, f"{BLOTTER}?q=acme-filled")
    assert '<span class="fo-way fo-buy">Buy</span>' in text
    assert '<span class="fo-two">Limit<small title="DAY">DAY</small></span>' in text
    assert '<span class="fo-figure">10</span> <small>/ <span class="fo-figure">10</span></small>' in text
    assert '<span class="fo-figure">190.00</span>' in text
    assert '<span class="fo-figure">189.95</span>' in text
    assert '<span class="fo-chip fo-ok">Filled</span>' in text
    denied = get(staff_client, f"{BLOTTER}?q=acme-denied")
    assert '<span class="fo-chip fo-warn">Denied</span>' in denied
    assert '<span class="fo-code" title="The quote is old.">price_stale</span>' in denied


def test_filters_narrow_the_blotter_down(staff_client, world: World, trade: Trade):
    everything = {
        f"{slug}-{name}" for slug in ("acme", "globex") for name in ("filled", "working", "denied", "unknown")
    }
    assert ids_on(staff_client, "") == everything
    assert ids_on(staff_client, f"tenant={world.acme.tenant.pk}&status__exact=denied") == {"acme-denied"}
    assert ids_on(staff_client, "standing=open") == {
        "acme-working",
        "acme-unknown",
        "globex-working",
        "globex-unknown",
    }
    assert ids_on(staff_client, "standing=closed&status__exact=filled") == {"acme-filled", "globex-filled"}
    assert ids_on(staff_client, "standing=pending") == set()
    assert ids_on(staff_client, "side__exact=sell") == set()
    assert ids_on(staff_client, "side__exact=buy") == everything


def test_an_order_is_found_by_its_ids(staff_client, world: World, trade: Trade):
    assert ids_on(staff_client, "q=acme-wor") == {"acme-working"}
    assert ids_on(staff_client, "q=venue-globex-working") == {"globex-working"}
    assert ids_on(staff_client, f"q={trade.working.pk}") == {"acme-working"}
    assert len(ids_on(staff_client, f"q={trade.desk.account.pk}")) == 4
    assert len(ids_on(staff_client, "q=aapl")) == 8


def test_the_timeline_tells_from_every_source_in_order(staff_client, trade: Trade):
    context = staff_client.get(page_of(trade.filled)).context
    timeline = next(panel for panel in context["main_panels"] if panel.kind == "timeline")
    told_of = [(item.lane.key, str(item.code or item.title)) for item, _when, _gap in timeline.entries]
    assert told_of == [
        ("order", "order.approved"),
        ("order", "order.submitted"),
        ("venue", "Sent to alpaca"),
        ("audit", "order.submitted"),
        ("order", "order.accepted"),
        ("audit", "order.accepted"),
        ("order", "order.filled"),
        ("venue", "Executed 10 at 189.95"),
        ("audit", "order.filled"),
    ]
    gaps = [gap for _item, _when, gap in timeline.entries if gap]
    assert gaps[1] == "+30 ms"
    assert [(str(lane.name), count) for lane, count in timeline.lanes] == [("Order", 4), ("Venue", 2), ("Audit", 3)]


def test_a_denial_shows_the_checks_that_decided(staff_client, trade: Trade):
    text = get(staff_client, page_of(trade.denied))
    assert "Denied: Price stale" in text
    assert "<details open><summary>2 of 3 checks passed</summary>" in text
    assert '<span class="fo-chip fo-bad">Price stale</span>' in text
    assert "The quote is 41 s old." in text
    assert "The checks below show what the gate saw." in text


def test_a_denial_after_the_approval_does_not_point_to_checks_that_passed(staff_client, trade: Trade):
    for code in ("original_executed", "kill_switch_engaged"):
        values = {"denial_code": code, "denial_detail": "Why it was not sent.", "closed_at": clock.now()}
        order = make(trade.desk, code, OrderStatus.DENIED, **values)
        make_decision(trade.desk, order)
        text = get(staff_client, page_of(order))
        assert "Why it was not sent." in text
        assert "The checks below" not in text, code


def test_a_decision_shows_what_was_missing_and_how_old_the_rest_was(staff_client, trade: Trade):
    text = get(staff_client, f"/admin/orders/riskdecision/{trade.decision.pk}/change/")
    assert "2 / 3" in text
    assert '<dt>Ask</dt><dd><span class="fo-chip fo-warn">missing</span></dd>' in text
    assert "<dt>Quote venue at</dt><dd>41 s before</dd>" in text
    assert "<dt>Max concentration</dt><dd>30 %</dd>" in text
    assert "<dt>Engaged switches</dt><dd>none</dd>" in text
    assert "<dt>Quote max age</dt><dd>15 s</dd>" in text


def test_jobs_incidents_and_deliveries_are_in_the_story(staff_client, trade: Trade):
    with tenant_scope(trade.desk.tenant.pk):
        event = OutboxEvent.objects.filter(entity_id=trade.unknown.pk, type="order.outcome_unknown").get()
    incident = make_incident(
        now=clock.now(),
        tenant_id=trade.desk.tenant.pk,
        kind="order.outcome_unknown",
        title="What became of it is not known",
        target_type="order",
        target_id=trade.unknown.pk,
    )
    delivery = make_delivery(trade.endpoint, trade.unknown, event_id=event.pk, next_attempt_at=clock.now())
    text = get(staff_client, page_of(trade.unknown))
    assert "The outcome is not known" in text
    assert f"/admin/incidents/incident/{incident.pk}/change/" in text
    assert "Needs a person" in text
    assert f"/admin/webhooks/delivery/{delivery.pk}/change/" in text
    assert "Waits to be delivered to 127.0.0.1:9/acme" in text
    with tenant_scope(trade.desk.tenant.pk):
        assert Incident.objects.filter(target_id=trade.unknown.pk).count() == 1


def test_an_unknown_order_under_whose_id_the_venue_has_another_says_what_to_do(staff_client, trade: Trade):
    order = make(trade.desk, "doubted", OrderStatus.UNKNOWN, lookups=5)
    assert "If it has no such order, declare this one lost." in get(staff_client, page_of(order))
    make_incident(
        now=clock.now(),
        tenant_id=trade.desk.tenant.pk,
        kind="order.another_order",
        title="The venue has another order under its id",
        target_type="order",
        target_id=order.pk,
    )

    text = get(staff_client, page_of(order))

    assert "The venue has another order under this one's client order id" in text
    assert "If it is not this order, declare this one lost." in text
    assert "If it is, cancel it at the venue first: nothing that it executes is taken over here." in text
    assert "If it has no such order" not in text


def test_a_replacement_is_shown_in_its_chain(staff_client, trade: Trade):
    younger = make(trade.desk, "replacement", replaces=trade.working)
    text = get(staff_client, page_of(younger))
    assert "Replacements" in text
    assert f'href="{page_of(trade.working)}"' in text
    assert f'href="{page_of(younger)}"' in get(staff_client, page_of(trade.working))


def test_cancel_asks_for_a_reason_and_leaves_it_in_event_and_leaf(staff_client, trade: Trade):
    url = f"{BLOTTER}{trade.working.pk}/do/cancel/"
    assert "The venue is asked to cancel" in staff_client.post(url).content.decode()
    assert read(Order, trade.working).pending == Pending.NONE
    said = press(staff_client, "orders.order", trade.working, "cancel", confirmed="1", reason="fat finger")
    assert said == ["1 cancel asked for."]
    assert read(Order, trade.working).pending == Pending.CANCEL
    (leaf,) = leaves(trade.desk.tenant, "order.cancel_requested")
    assert leaf.changes == {"pending": ["none", "cancel"], "reason": [None, "fat finger"]}
    assert (leaf.actor["kind"], leaf.actor["label"]) == ("staff", "staff")
    text = get(staff_client, page_of(trade.working))
    assert "Cancel asked for" in text
    assert "fat finger" in text
    with tenant_scope(trade.desk.tenant.pk):
        assert Job.objects.get(kind="order.cancel").payload == {"order_id": str(trade.working.pk)}


def test_before_many_cancels_each_order_is_named_and_what_becomes_of_it(staff_client, world: World, trade: Trade):
    here, asked = make(trade.desk, "here"), make(trade.desk, "asked", OrderStatus.ACCEPTED, pending=Pending.CANCEL)
    orders = [trade.filled, trade.working, world.globex.trade.working, trade.unknown, here, asked]
    selection = {"action": "cancel", "index": "0", "_selected_action": [str(order.pk) for order in orders]}
    page = staff_client.post(BLOTTER, selection)
    assert [str(text) for text in page.context["consequences"]] == [
        "The venues are asked to cancel what 2 orders have left; until they answer, that can still fill.",
        "1 order may or may not be at the venue; it is canceled as soon as the venue shows it.",
        "1 order has not left yet and is denied at once.",
        "1 cancel was asked for before; nothing is asked again.",
        "1 order has ended and is left alone.",
    ]
    text = page.content.decode()
    assert "6 orders" in text
    assert text.count('name="_selected_action"') == 6
    assert text.count(">Buy 10 XNAS:AAPL, limit 190.00<small") == 6
    for told in ("globex-working", "Paper desk", '<span class="fo-chip fo-idle">globex</span>', "now</time>"):
        assert told in text, told
    assert text.index("acme-working") < text.index("acme-filled")
    assert 'name="reason" maxlength="500" autofocus required' in text
    assert read(Order, trade.working).pending == Pending.NONE
    assert leaves(trade.desk.tenant, "order.cancel_requested") == []


def test_many_cancels_report_each_outcome(staff_client, world: World, trade: Trade):
    orders = [trade.working, world.globex.trade.working, trade.filled]
    said = choose(staff_client, "orders.order", orders, "cancel", confirmed="1", reason="flatten")
    assert said == ["2 cancels asked for.", "The order is closed"]
    assert read(Order, trade.filled).pending == Pending.NONE


def test_an_order_is_declared_lost_only_after_enough_look_ups(staff_client, trade: Trade):
    assert "do/declare_lost/" not in get(staff_client, page_of(trade.working))
    assert "do/declare_lost/" in get(staff_client, page_of(trade.unknown))
    said = press(staff_client, "orders.order", trade.unknown, "declare_lost", confirmed="1", reason="desk confirms")
    assert said == ["1 order declared lost."]
    assert read(Order, trade.unknown).status == OrderStatus.LOST
    (leaf,) = leaves(trade.desk.tenant, "order.lost")
    assert leaf.changes["reason"] == [None, "desk confirms"]
    assert "Declared lost" in get(staff_client, page_of(trade.unknown))


def test_an_order_that_is_still_sought_is_not_declared_lost(staff_client, trade: Trade):
    order = make(trade.desk, "sought", OrderStatus.UNKNOWN, lookups=LOOKUPS_BEFORE_LOST - 1)
    assert "do/declare_lost/" not in get(staff_client, page_of(order))
    said = press(staff_client, "orders.order", order, "declare_lost", confirmed="1", reason="impatient")
    assert said == ["The venue is still being asked for the order"]
    assert read(Order, order).status == OrderStatus.UNKNOWN
    assert leaves(trade.desk.tenant, "order.lost") == []


@pytest.mark.parametrize("action", ["cancel", "declare_lost"])
def test_who_may_only_view_changes_no_order(viewing_client, trade: Trade, action):
    order = trade.unknown if action == "declare_lost" else trade.working
    with staff_scope():
        before = AuditEntry.objects.count()
    assert f"do/{action}/" not in get(viewing_client, page_of(order))
    data = {"confirmed": "1", "reason": "because"}
    assert viewing_client.post(f"{BLOTTER}{order.pk}/do/{action}/", data).status_code == 403
    selection = {"action": action, "index": "0", "_selected_action": [str(order.pk)], **data}
    viewing_client.post(BLOTTER, selection)
    assert read(Order, order).status == order.status
    with staff_scope():
        assert AuditEntry.objects.count() == before


def test_a_trading_account_shows_limits_beside_their_use(staff_client, trade: Trade):
    text = get(staff_client, f"/admin/orders/riskaccount/{trade.desk.risk_account.pk}/change/")
    assert "<td>Share of equity in one instrument</td>" in text
    assert "1.9 %" in text
    assert '<span class="fo-money fo-money-plain">100,000.00<span class="fo-ccy">USD</span></span>' in text
    assert "acme-working" not in text
    assert "Buy 10 XNAS:AAPL, limit 190" in text


def test_a_position_is_valued_at_the_bid(staff_client, trade: Trade):
    page = staff_client.get("/admin/orders/position/").context["cl"]
    position = next(row for row in page.result_list if row.tenant_id == trade.desk.tenant.pk)
    assert position.market.worth == Worth(Decimal("189.98"), Decimal("1899.80"), Decimal("0.30"))
