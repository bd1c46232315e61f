"""What a replacement's end means for the order that it was to replace."""

from datetime import datetime

from apps.core.actor import Actor
from apps.orders import events
from apps.orders.enums import Pending
from apps.orders.models import Order
from apps.orders.services.transitions import note


def let_original_go(replacement: Order, reason: str, *, actor: Actor, now: datetime) -> None:
    """Tell the order that a locked one was to replace that it stays; its risk account is locked with it."""
    if replacement.replaces_id is None:
        return
    originals = Order.objects.select_for_update(of=("self",)).select_related("instrument")
    original = originals.get(id=replacement.replaces_id)
    if original.pending == Pending.REPLACE:
        data = {"replacement_id": str(replacement.id), "reason": reason}
        note(original, events.ORDER_REPLACE_REFUSED, actor=actor, now=now, data=data, pending=Pending.NONE)
