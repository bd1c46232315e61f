"""Orders against their events and their fills."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from apps.core.canonical import jsonable
from apps.core.money import plain
from apps.core.scope import snapshot_scope
from apps.core.verification import Finding, Row, Seen, Subject, Text, look_in_batches
from apps.orders.events import order_data
from apps.orders.models import Fill, Order, OrderEvent
from apps.orders.rules.states import TERMINAL_STATES
from apps.orders.services.folding import fold, projection_of
from apps.orders.services.transitions import spent_of

BATCH_ORDERS = 500
_WITHOUT_ORDER = """
SELECT DISTINCT order_id AS id FROM orders_orderevent AS event
 WHERE tenant_id = %s AND NOT EXISTS (
       SELECT FROM orders_order WHERE tenant_id = event.tenant_id AND id = event.order_id)
   AND order_id > %s ORDER BY order_id LIMIT %s
"""
_REMEDY = _("It was changed past the platform. Compare its events with the venue's record, then restore the row.")


def walk_orders(subject: Subject) -> Iterator[Seen | Finding]:
    """Fold each order's events anew, and look for events whose order is gone."""
    yield from _walk_rows(subject)
    for brought in look_in_batches(_WITHOUT_ORDER, [subject.tenant_id], _deleted):
        if isinstance(brought, Finding):
            yield brought


def _deleted(row: Row) -> Iterator[Finding]:
    yield Finding(
        "orders_order", str(row["id"]), _("An order is gone, and its events are there."), "a row", "no row", _REMEDY
    )


def _walk_rows(subject: Subject) -> Iterator[Seen | Finding]:
    """Judge each order; one and its events are of one snapshot."""
    after = UUID(int=0)
    while True:
        with snapshot_scope():
            of_tenant = Order.objects.filter(tenant_id=subject.tenant, id__gt=after).select_related("instrument")
            orders = list(of_tenant.order_by("id")[:BATCH_ORDERS])
            events, filled = _events_of(orders), _filled_of(orders)
        yield Seen(len(orders))
        for order in orders:
            yield from _judge(order, events[order.id], filled.get(order.id, Decimal(0)))
        if len(orders) < BATCH_ORDERS:
            return
        after = orders[-1].id


def _of_batch(orders: Sequence[Order]) -> dict[str, UUID]:
    """Return the condition for rows of a batch: a range of the index, where a list of ids was read by whole scans."""
    return {"tenant_id": orders[0].tenant_id, "order_id__gte": orders[0].id, "order_id__lte": orders[-1].id}


def _events_of(orders: Sequence[Order]) -> Mapping[UUID, list[OrderEvent]]:
    events: dict[UUID, list[OrderEvent]] = defaultdict(list)
    if orders:
        for event in OrderEvent.objects.filter(**_of_batch(orders)).order_by("order_id", "sequence"):
            events[event.order_id].append(event)
    return events


def _filled_of(orders: Sequence[Order]) -> Mapping[UUID, Decimal]:
    if not orders:
        return {}
    fills = Fill.objects.filter(**_of_batch(orders))
    return dict(fills.order_by().values_list("order_id").annotate(Sum("quantity")))


def _judge(order: Order, events: Sequence[OrderEvent], filled: Decimal) -> Iterator[Finding]:
    sequences = [event.sequence for event in events]
    if sequences != list(range(1, len(events) + 1)) or not events:
        found = f"sequences {_shown(sequences)}"
        yield _wrong(order, _("An order's events are not complete."), f"1 to {max([*sequences, order.version])}", found)
        return
    try:
        differences = dict(_differences(order, events))
    except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation) as error:
        yield _wrong(order, _("An order's events cannot be read."), "events as they are written", type(error).__name__)
        return
    if differences:
        expected = ", ".join(f"{name} {value[0]}" for name, value in differences.items())
        found = ", ".join(f"{name} {value[1]}" for name, value in differences.items())
        yield _wrong(order, _("An order is not what its events make of it."), expected, found)
    if filled != order.filled_quantity:
        problem = _("An order's fills do not add up to what it says was executed.")
        yield _wrong(order, problem, f"{plain(filled)} filled", f"{plain(order.filled_quantity)} filled")
    spent = spent_of(order, order.filled_quantity, order.average_fill_price)
    if order.status in TERMINAL_STATES and order.reserved != spent:
        problem = _("An order that is over reserves another amount than it has spent.")
        yield _wrong(order, problem, f"{plain(spent)} reserved", f"{plain(order.reserved)} reserved")


def _differences(order: Order, events: Sequence[OrderEvent]) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Return what the row has otherwise than the fold, and than its last event told."""
    last, row = events[-1].data, jsonable(order_data(order))
    for name in sorted(row.keys() & last.keys()):
        if row[name] != last[name]:
            yield name, (last[name], row[name])
    folded, stored = fold(events), projection_of(order)
    for name in folded.__slots__:
        if getattr(folded, name) != getattr(stored, name):
            yield name, (getattr(folded, name), getattr(stored, name))


def _wrong(order: Order, problem: Text, expected: str, found: str) -> Finding:
    return Finding("orders_order", str(order.id), problem, expected, found, _REMEDY)


def _shown(sequences: Sequence[int]) -> str:
    return ", ".join(map(str, sequences[:20])) + (", …" if len(sequences) > 20 else "") or "none"
