"""Calls a person: what a venue says of an order cannot be, or nobody knows what became of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.core.actor import Actor
from apps.incidents import services as incidents
from apps.incidents.enums import Severity
from apps.orders.models import Order

OUTCOME_UNKNOWN = "order.outcome_unknown"
ANOTHER_ORDER = "order.another_order"
FOUND_AFTER_LOST = "order.found_after_lost"
ORDER_VANISHED = "order.vanished"
LATE_FILL = "order.late_fill"
FILL_REFUSED = "order.fill_refused"


def call_a_person(
    kind: str, order: Order, title: str, detail: Mapping[str, Any], *, key: str = "", actor: Actor, now: datetime
) -> None:
    """Open the incident of an order, or count it once more; one per `key`, which is the order's id by default.

    `title` has a place for the order, "%(order)s".
    """
    incidents.open_incident(
        kind=kind,
        key=key or str(order.id),
        title=title % {"order": order},
        severity=Severity.CRITICAL,
        target_type="order",
        target_id=order.id,
        detail={"client_order_id": order.client_order_id, "status": str(order.status), **detail},
        actor=actor,
        now=now,
    )
