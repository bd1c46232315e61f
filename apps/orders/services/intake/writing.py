"""All rows of one decision, in one statement that commits with them."""

from datetime import datetime
from typing import Any

import msgspec
from django.db import IntegrityError
from psycopg.errors import UniqueViolation

from apps.audit.services import record_statement
from apps.core.actor import Actor
from apps.core.canonical import jsonable
from apps.core.db.statements import Statement, insert, together
from apps.core.ids import new_id
from apps.core.scope import execute_last
from apps.jobs.services import enqueue_statement
from apps.jobs.types import JobKind
from apps.market.models import Instrument
from apps.orders.enums import OrderStatus, Outcome
from apps.orders.errors import ClientOrderIdTaken
from apps.orders.events import STATUS_EVENTS, order_data
from apps.orders.models import Order, OrderEvent, RiskDecision
from apps.orders.rules.snapshot import Decision, Snapshot
from apps.orders.rules.units import from_micros, to_decimal
from apps.orders.services.intake.judging import checks_for_people, inputs_for_people
from apps.orders.services.intake.reading import Reading
from apps.orders.types import ORDER_PRIORITY, SUBMIT_ORDER, NewOrder
from apps.outbox.services import emit_statement
from apps.outbox.types import NewEvent

_RATE = "UPDATE orders_riskaccount SET rate_reset_at = %s WHERE tenant_id = %s AND id = %s"
# What the leaf of a new order commits to; the rest of it follows from these, or is nothing yet.
_DECIDED = (
    "status",
    "client_order_id",
    "account_id",
    "instrument_id",
    "side",
    "type",
    "quantity",
    "limit_price",
    "stop_price",
    "time_in_force",
    "mode",
    "reserved",
    "denial_code",
    "replaces_id",
)
_encoder = msgspec.json.Encoder()
_CLIENT_ORDER_ID = "orders_order_client_order_id"


def order_of(
    new: NewOrder, decision: Decision, found: Reading, *, account_id: Any, actor: Actor, now: datetime
) -> Order:
    """Return the order that a decision makes, not stored yet."""
    means, facts = found
    is_approved = decision.outcome is Outcome.APPROVED
    assert means is not None and facts is not None and facts.key is not None, "it was judged, of an instrument"
    closed_at: Any = None if is_approved else now
    tenant_id: Any = actor.tenant_id
    placed_by: Any = actor.user_id or actor.api_key_id
    order_id = new_id()
    return Order(
        id=order_id,
        tenant_id=tenant_id,
        account_id=account_id,
        risk_account_id=means.id,
        instrument=Instrument(id=facts.instrument_id, key=facts.key),
        symbol=facts.symbol or facts.key,
        client_order_id=new.client_order_id or str(order_id),
        side=new.side,
        type=new.type,
        quantity=new.quantity,
        limit_price=new.limit_price,
        stop_price=new.stop_price,
        time_in_force=new.time_in_force,
        mode=means.mode,
        status=OrderStatus.APPROVED if is_approved else OrderStatus.DENIED,
        reserved=to_decimal(decision.cost),
        placed_by=placed_by,
        denial_code=decision.code or "",
        denial_detail=decision.detail[:500],
        closed_at=closed_at,
        created_at=now,
        updated_at=now,
    )


def decision_of(
    decision: Decision,
    snapshot: Snapshot,
    *,
    order: Order,
    request: dict[str, Any],
    actor: Actor,
    is_dry_run: bool = False,
    now: datetime | None = None,
) -> RiskDecision:
    """Return the record of a decision, not stored yet; it was made when the order was unless `now` says otherwise."""
    return RiskDecision(
        tenant_id=order.tenant_id,
        account_id=order.account_id,
        order_id=None if is_dry_run else order.id,
        outcome=decision.outcome,
        code=decision.code or "",
        detail=decision.detail[:500],
        request=request,
        inputs=inputs_for_people(snapshot),
        checks=checks_for_people(decision.checks),
        actor=actor.as_json(),
        decided_at=now or order.created_at,
    )


def order_json(order: Order) -> str:
    """Return the JSON of an order: the answer's, the order event's and the outbox event's alike."""
    return _encoder.encode(jsonable(order_data(order))).decode()


def statements_of(
    order: Order,
    record: RiskDecision,
    decision: Decision,
    *,
    shown: str,
    actor: Actor,
    kind: JobKind = SUBMIT_ORDER,
) -> list[Statement]:
    """Return the statements that store an order with everything that belongs to it, such as its job of this kind.

    `shown` is the order as `order_json` wrote it.
    """
    now, type_ = order.created_at, STATUS_EVENTS[OrderStatus(order.status)]
    event = OrderEvent(tenant_id=order.tenant_id, order_id=order.id, sequence=1, type=type_, data=shown, at=now)
    outbound = NewEvent(type=type_, entity_type="order", entity_id=order.id, data=shown)
    changes = {name: [None, value] for name in _DECIDED if (value := getattr(order, name)) not in (None, "")}
    leaf = record_statement(
        action=type_, actor=actor, target_type="order", target_id=order.id, now=now, changes=changes
    )
    statements = [
        insert(order),
        insert(event),
        insert(record),
        leaf,
        emit_statement(outbound, actor=actor, now=now),
    ]
    if decision.outcome is Outcome.APPROVED:
        assert decision.rate_reset_at is not None, "an approved order counts"
        reset_at = from_micros(decision.rate_reset_at)
        statements.append(Statement(_RATE, [reset_at, order.tenant_id, order.risk_account_id]))
        statements.append(
            enqueue_statement(
                kind=kind,
                payload={"order_id": str(order.id)},
                actor=actor,
                now=now,
                unique_key=str(order.id),
                priority=ORDER_PRIORITY,
            )
        )
    return statements


def store(statements: list[Statement]) -> None:
    """Write everything and commit.

    Raises:
        ClientOrderIdTaken: another order came first.
    """
    try:
        execute_last(together(statements))
    except IntegrityError as error:
        cause = error.__cause__
        if isinstance(cause, UniqueViolation) and cause.diag.constraint_name == _CLIENT_ORDER_ID:
            raise ClientOrderIdTaken from error
        raise
