"""Keeps the quotes of what is held fresh, so that positions have a price whenever somebody looks."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from apps.core.scope import system_scope
from apps.market.models import Listing
from apps.market.services import refresh_quotes
from apps.orders.models import Position
from apps.providers.enums import ConnectionStatus
from apps.providers.models import Connection

# Longer than the time from one look to the next, so that no quote grows old in between.
AHEAD = timedelta(seconds=8)
_MOST_INSTRUMENTS = 1_000


@dataclass(slots=True)
class _Held:
    """What is held at one venue by anybody, and who of them asks for the quotes."""

    asker_id: UUID
    instrument_ids: set[UUID] = field(default_factory=set)


def refresh_quotes_of_positions() -> None:
    """Ask each venue for the quotes of what is held there that are about to grow old. Does HTTP."""
    for venue, held in _find_held().items():
        with system_scope():
            asker = Connection.objects.get(id=held.asker_id)
        listings = Listing.objects.filter(venue=venue, instrument_id__in=held.instrument_ids)
        refresh_quotes(connection=asker, listings=list(listings), ahead=AHEAD)


def _find_held() -> dict[str, _Held]:
    with system_scope():
        rows = (
            Position.objects.exclude(quantity=0)
            .filter(
                risk_account__connection__status=ConnectionStatus.ACTIVE,
                risk_account__connection__deleted_at__isnull=True,
            )
            .order_by("risk_account__venue", "instrument_id")
            .distinct("risk_account__venue", "instrument_id")
            .values_list("risk_account__venue", "risk_account__connection_id", "instrument_id")[:_MOST_INSTRUMENTS]
        )
        held: dict[str, _Held] = {}
        for venue, connection_id, instrument_id in rows:
            held.setdefault(venue, _Held(connection_id)).instrument_ids.add(instrument_id)
        return held
