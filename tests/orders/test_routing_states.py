"""The one function that changes an order's state: every pair of states is followed, with its record, or refused."""

from contextlib import nullcontext
from typing import Any

import pytest
from django.db import transaction

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.scope import write_scope
from apps.orders.enums import OrderStatus
from apps.orders.events import STATUS_EVENTS
from apps.orders.models import OrderEvent
from apps.orders.rules.states import TERMINAL_STATES, may_follow
from apps.orders.services.locking import lock_order
from apps.orders.services.transitions import ImpossibleTransition, transition
from apps.outbox.models import OutboxEvent
from tests.factories.outbox import beside
from tests.orders.floor import Floor

# There is no fill here, and no partial one is told of without.
TOLD = {**STATUS_EVENTS, OrderStatus.PARTIALLY_FILLED: "order.resumed", OrderStatus.DRAFT: "order.approved"}


def records_of(order_id: Any) -> tuple[int, int, int]:
    """Count an order's events, leaves and outbox events."""
    return (
        OrderEvent.objects.filter(order_id=order_id).count(),
        AuditEntry.objects.filter(target_id=str(order_id)).count(),
        OutboxEvent.objects.filter(entity_id=order_id).count(),
    )


@pytest.mark.parametrize("before", OrderStatus)
def test_every_pair_of_states(floor: Floor, before: OrderStatus):
    order_id = floor.make_order(job=False, status=before, pending="cancel").id
    for after in OrderStatus:
        is_edge = may_follow(before, after)
        with write_scope(floor.actor), transaction.atomic():
            order = lock_order(order_id)
            with nullcontext() if is_edge else pytest.raises(ImpossibleTransition):
                transition(order, after, actor=floor.actor, now=clock.now(), data=beside(TOLD[after]))
            stored = lock_order(order_id)
            if is_edge:
                assert (stored.status, stored.version, records_of(order_id)) == (after, 2, (2, 1, 2)), after
                last = OrderEvent.objects.get(order_id=order_id, sequence=2)
                assert last.type == TOLD[after]
                has_ended = after in TERMINAL_STATES
                assert (stored.pending, stored.closed_at is not None) == ("none" if has_ended else "cancel", has_ended)
            else:
                assert (stored.status, stored.version, records_of(order_id)) == (before, 1, (1, 0, 1)), after
            transaction.set_rollback(True)
