"""Compares what an account holds by our fills with what its venue shows, while nothing is open that could move it."""

import logging
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.core.money import plain
from apps.core.scope import write_scope
from apps.incidents import services as incidents
from apps.incidents.enums import Severity
from apps.market.models import Listing
from apps.orders.models import Fill, Order, Position, RiskAccount
from apps.orders.rules.states import OPEN_STATES
from apps.orders.services.locking import lock_risk_account
from apps.orders.services.turns import take_turn
from apps.providers.trading import HoldingData
from apps.providers.types import RejectedRow

logger = logging.getLogger(__name__)

POSITION_DRIFT = "position_drift"
_INTERVAL_SECONDS = 60


def is_comparison_due(risk_account_id: UUID) -> bool:
    """Take the account's turn to be compared: one a minute."""
    return take_turn(f"drift:{risk_account_id}", seconds=_INTERVAL_SECONDS)


def compare_positions(
    risk_account_id: UUID, held: Iterable[HoldingData | RejectedRow], *, began: datetime, actor: Actor, now: datetime
) -> None:
    """Open the incident of a drift, or resolve it; `began` is when the venue was asked.

    Should anything have moved since, nothing can be said and the next comparison will.
    """
    rows = list(held)
    if any(isinstance(row, RejectedRow) for row in rows):
        logger.error("position.unreadable", extra={"risk_account_id": str(risk_account_id)})
        return
    theirs = {row.external_id: row for row in rows if isinstance(row, HoldingData) and row.quantity}
    with write_scope(actor):
        risk_account = lock_risk_account(risk_account_id)
        if _has_moved(risk_account, began):
            return
        ours = _ours(risk_account)
        drift = {}
        for key in sorted(ours.keys() | theirs.keys()):
            symbol, quantity = ours.get(key, ("", Decimal(0)))
            shown = theirs[key].quantity if key in theirs else Decimal(0)
            if quantity != shown:
                drift[symbol or theirs[key].symbol] = {"ours": plain(quantity), "venue": plain(shown)}
        _tell(risk_account, drift, actor, now)


def _has_moved(risk_account: RiskAccount, began: datetime) -> bool:
    is_open = Order.objects.filter(risk_account=risk_account, status__in=OPEN_STATES).exists()
    return is_open or Fill.objects.filter(risk_account=risk_account, created_at__gte=began).exists()


def _ours(risk_account: RiskAccount) -> dict[str, tuple[str, Decimal]]:
    """Return {the venue's id of the asset: (symbol there, quantity)}."""
    positions = Position.objects.filter(risk_account=risk_account).exclude(quantity=0)
    quantities = dict(positions.values_list("instrument_id", "quantity"))
    listings = Listing.objects.filter(venue=risk_account.venue, instrument_id__in=quantities)
    return {row.external_id: (row.symbol, quantities[row.instrument_id]) for row in listings}


def _tell(risk_account: RiskAccount, drift: dict[str, dict[str, str]], actor: Actor, now: datetime) -> None:
    key = str(risk_account.account_id)
    if not drift:
        incidents.resolve_incident(kind=POSITION_DRIFT, key=key, actor=actor, now=now)
        return
    incidents.open_incident(
        kind=POSITION_DRIFT,
        key=key,
        title=_("Positions differ from those at the venue: %(symbols)s") % {"symbols": ", ".join(drift)},
        severity=Severity.CRITICAL,
        target_type="account",
        target_id=risk_account.account_id,
        detail=drift,
        actor=actor,
        now=now,
    )
