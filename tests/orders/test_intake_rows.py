"""What a post writes: all of it exactly, and all or nothing."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction

from apps.audit.leaf import compute_leaf_hash
from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.scope import current_scope, tenant_scope, write_scope
from apps.idempotency.models import IdempotencyRecord
from apps.jobs.models import Job
from apps.orders.models import Order, OrderEvent, RiskAccount, RiskDecision
from apps.outbox.models import OutboxEvent
from tests import databases
from tests.factories.audit import opened
from tests.factories.orders import Desk, make_desk
from tests.orders.intake import body_of, post, traces

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def desk(acme) -> Desk:
    return make_desk(acme)


def test_an_approved_order_is_written_with_all_that_belongs_to_it(desk: Desk, acme, acme_trader):
    answer = acme_trader.post(
        "/api/v1/orders",
        body_of(desk),
        format="json",
        headers={"Idempotency-Key": "k", "X-Request-ID": "req-1", "traceparent": TRACE},
    )
    shown = answer.json()
    with tenant_scope(acme.id):
        order, event = Order.objects.get(), OrderEvent.objects.get()
        stored = AuditEntry.objects.get(target_id=str(order.id))
        [leaf] = opened(AuditEntry.objects.filter(pk=stored.pk))
        outbound = OutboxEvent.objects.get(entity_id=order.id)
        job = Job.objects.get(kind="order.submit")
        record = IdempotencyRecord.objects.get(key="k")
        risk_account = RiskAccount.objects.get()
    now, actor = order.created_at, leaf.actor
    assert str(order.id) == shown["id"]
    assert (order.risk_account_id, order.symbol, order.reserved) == (risk_account.id, "AAPL", Decimal("1902.5"))
    assert (event.sequence, event.type, event.data, event.at) == (1, "order.approved", shown, now)
    assert (outbound.type, outbound.entity_type, outbound.data) == ("order.approved", "order", shown)
    assert (outbound.actor, outbound.request_id, outbound.occurred_at, outbound.sequence) == (actor, "req-1", now, None)
    assert actor["kind"] == "api_key" and actor["request_id"] == "req-1"
    assert (leaf.action, leaf.target_type, leaf.at, leaf.sequence) == ("order.approved", "order", now, None)
    assert str(leaf.actor_id) == actor["api_key_id"]
    assert leaf.changes["status"] == [None, "approved"] and leaf.changes["quantity"] == [None, "10"]
    assert bytes(stored.leaf_hash) == compute_leaf_hash(stored)
    assert {leaf.traceparent, outbound.traceparent, job.traceparent} == {leaf.traceparent}
    assert leaf.traceparent.startswith(TRACE[:36])
    assert (job.payload, job.queue, job.priority) == ({"order_id": str(order.id)}, "orders", 10)
    assert (job.state, job.attempts, job.run_at, job.lease_seconds) == ("queued", 0, now, 10)
    assert (job.unique_key, job.actor, job.request_id) == (str(order.id), actor, "req-1")
    assert (record.status, bytes(record.body or b""), record.body_expires_at) == (201, answer.content, None)
    assert record.headers == {"ETag": '"1"', "Location": f"/api/v1/orders/{order.id}"}
    assert risk_account.rate_reset_at == now + timedelta(seconds=1), "one of sixty a minute"


def test_the_decision_keeps_all_that_it_was_made_upon(desk: Desk, acme, acme_trader):
    post(acme_trader, body_of(desk, client_order_id="mine"))
    with tenant_scope(acme.id):
        decision, order = RiskDecision.objects.get(), Order.objects.get()
    inputs = dict(decision.inputs)
    times = {name: inputs.pop(name) for name in list(inputs) if name.endswith(("_at", "now", "as_of"))}
    assert times.pop("rate_reset_at") is None
    assert all(time.endswith("Z") for time in times.values())
    assert inputs == {
        "engaged_switches": [],
        "clock_is_open": True,
        "bid": "189.98",
        "ask": "190.02",
        "asset_class": "equity",
        "listed": True,
        "tradable": True,
        "shortable": True,
        "position": "0",
        "open_buys": "0",
        "open_sells": "0",
        "open_buys_above": "0",
        "open_sells_above": "0",
        "other_trades": 0,
        "unknown_orders": 0,
        "equity": "100000",
        "buying_power": "200000",
        "reserved": "0",
        "is_restricted": False,
        "max_open_trades": 2,
        "max_position_value": "100000",
        "max_concentration": "0.3",
        "max_orders_per_minute": 60,
        "quote_max_age": "15",
        "clock_max_age": "30",
        "means_max_age": "30",
        "max_clock_offset": "2",
    }
    assert decision.request == {
        "instrument": "XNAS:AAPL",
        "side": "buy",
        "type": "limit",
        "quantity": "10",
        "limit_price": "190.25",
        "stop_price": None,
        "time_in_force": "day",
        "client_order_id": "mine",
    }
    assert (decision.order_id, decision.account_id, decision.decided_at) == (
        order.id,
        desk.account.id,
        order.created_at,
    )
    assert decision.checks[0] == {"check": "clock", "code": None, "detail": ""}


def test_what_is_reserved_counts_until_the_venues_figures_hold_it(desk: Desk, acme, acme_trader):
    for _ in range(2):
        post(acme_trader, body_of(desk, quantity="1"))
    first, second = _orders(acme)
    assert _reserved(second) == "190.25"
    later = clock.now() + timedelta(milliseconds=5)
    with write_scope(desk.actor):
        Order.objects.filter(id=first.id).update(accepted_at=later - timedelta(milliseconds=1), status="filled")
        RiskAccount.objects.update(means_as_of=later)
    post(acme_trader, body_of(desk, quantity="1"))
    assert _reserved(_orders(acme)[-1]) == "190.25", "the second alone: the venue had the first when it was asked"


def _orders(tenant: Any) -> list[Order]:
    with tenant_scope(tenant.id):
        return list(Order.objects.order_by("id"))


def _reserved(order: Order) -> str:
    with tenant_scope(order.tenant_id):
        reserved: str = RiskDecision.objects.get(order_id=order.id).inputs["reserved"]
    return reserved


# What the last row of each table that a post writes must not be.
REFUSED = {
    "orders_order": "status <> 'approved'",
    "orders_orderevent": "sequence > 1",
    "orders_riskdecision": "code <> ''",
    "orders_riskaccount": "rate_reset_at IS NULL",
    "audit_entry": "action NOT LIKE 'order.%'",
    "outbox_event": "type NOT LIKE 'order.%'",
    "jobs_job": "kind <> 'order.submit'",
    "idempotency_record": "status IS NULL",
}
_AT_THE_COMMIT = (
    "CREATE CONSTRAINT TRIGGER broken AFTER INSERT ON orders_order DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW EXECUTE FUNCTION orders_orderevent_append_only()"
)


@pytest.mark.commits
@pytest.mark.parametrize("table", [*REFUSED, "at the commit"])
def test_nothing_half_written_remains(table: str, database: str, acme, acme_trader):
    """Whichever row cannot be written, and be it found out at the commit: none of the others is there."""
    desk = make_desk(acme)
    break_it, mend_it = _AT_THE_COMMIT, "DROP TRIGGER broken ON orders_order"
    if table in REFUSED:
        break_it = f"ALTER TABLE {table} ADD CONSTRAINT broken CHECK ({REFUSED[table]}) NOT VALID"
        mend_it = f"ALTER TABLE {table} DROP CONSTRAINT broken"
    with databases.as_owner(database) as owner:
        owner.execute(break_it)
        failed = post(acme_trader, body_of(desk), key="k")
        assert (failed.status_code, failed.json()["code"]) == (500, "internal_error")
        assert traces(acme.id) == {}
        with tenant_scope(acme.id):
            assert RiskAccount.objects.get().rate_reset_at is None
            assert not IdempotencyRecord.objects.exists()
        assert (connection.in_atomic_block, current_scope()) == (False, None)
        owner.execute(mend_it)
    assert post(acme_trader, body_of(desk), key="k").status_code == 201


@pytest.mark.commits
def test_three_round_trips(database: str, acme, acme_trader, tmp_path):
    """One to authenticate, one to lock and read, one to write and commit: read off the wire."""
    desk = make_desk(acme)
    post(acme_trader, body_of(desk))
    with (tmp_path / "wire").open("w+") as wire:
        connection.connection.pgconn.trace(wire.fileno())
        assert post(acme_trader, body_of(desk)).status_code == 201
        connection.connection.pgconn.untrace()
        wire.seek(0)
        words = [line.split() for line in wire]
    asked = [word[4] for word in words if word[2] == "F" and word[4] in ("Query", "Sync")]
    assert asked == ["Query", "Sync", "Sync"]


def test_within_a_transaction_of_somebody_elses_it_commits_nothing(desk: Desk, acme, acme_trader):
    with transaction.atomic():
        assert post(acme_trader, body_of(desk)).status_code == 201
        assert traces(acme.id)["orders"] == 1
        transaction.set_rollback(True)
    assert traces(acme.id) == {}
