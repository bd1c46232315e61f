"""Proves the orders room: its projections are what its records add up to."""

from django.utils.translation import gettext_lazy as _

from apps.core.verification import Check, register
from apps.orders.verification.answers import walk_answers
from apps.orders.verification.orders import walk_orders
from apps.orders.verification.positions import walk_positions

register(
    Check(
        "orders.answers",
        _("Every answer has its order"),
        _("An order that a client was told of under an idempotency key is there, and was as the answer shows it."),
        _("answers"),
        walk_answers,
    ),
    Check(
        "orders.fold",
        _("Orders are what happened to them"),
        _(
            "Each order's row is the fold of its events, gapless, and of its fills; an order that is over reserves "
            "no more than it has spent."
        ),
        _("orders"),
        walk_orders,
    ),
    Check(
        "orders.positions",
        _("Positions are what was executed"),
        _("Each position is its opening and every execution since, at average cost, one after the other."),
        _("fills"),
        walk_positions,
    ),
)
