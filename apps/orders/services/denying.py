"""Denies an order that was approved and has not left."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.orders.enums import OrderStatus
from apps.orders.models import Order
from apps.orders.rules.checks import Denial
from apps.orders.rules.codes import DenialCode
from apps.orders.services.originals import let_original_go
from apps.orders.services.transitions import transition


def deny(order: Order, denial: Denial, *, actor: Actor, now: datetime) -> None:
    """Deny a locked order that is approved; the one that it was to replace stays."""
    columns: dict[str, Any] = {"denial_code": denial.code, "denial_detail": denial.detail[:500]}
    transition(order, OrderStatus.DENIED, actor=actor, now=now, **columns)
    let_original_go(order, denial.detail, actor=actor, now=now)


def canceled_before_submission() -> Denial:
    """Return the denial of an order whose cancel was asked for before it left."""
    return Denial(DenialCode.CANCELED_BEFORE_SUBMISSION, _("It was canceled before it was sent."))
