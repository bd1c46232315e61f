"""Lock order of the room: risk account, order, position. Whoever holds the risk account changes what is under it."""

from uuid import UUID

from apps.core.db.finding import get_one
from apps.orders.models import Order, Position, RiskAccount


def lock_risk_account(risk_account_id: UUID) -> RiskAccount:
    """Lock a risk account of the open scope's tenant.

    Raises:
        NotFound: there is none.
    """
    return get_one(RiskAccount.objects.select_for_update().filter(id=risk_account_id))


def lock_order(order_id: UUID) -> Order:
    """Lock an order and, before it, its risk account (`order.risk_account`); its instrument is read along.

    Raises:
        NotFound: the open scope's tenant has no such order.
    """
    risk_account_id = get_one(Order.objects.filter(id=order_id).values_list("risk_account_id", flat=True))
    risk_account = lock_risk_account(risk_account_id)
    order = Order.objects.select_for_update(of=("self",)).select_related("instrument").get(id=order_id)
    order.risk_account = risk_account
    return order


def lock_position(order: Order) -> Position | None:
    """Lock the position that a locked order changes; None while there is none."""
    held = Position.objects.select_for_update().filter(
        risk_account_id=order.risk_account_id, instrument_id=order.instrument_id
    )
    return held.first()
