"""The venues' clocks, asked for when they are needed."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection as database

from apps.core import clock
from apps.core.ids import new_id
from apps.core.shared.flight import fly
from apps.market.enums import Freshness
from apps.market.models import VenueClock
from apps.market.selectors import clock_freshness_of
from apps.providers import registry
from apps.providers.errors import ProviderError
from apps.providers.models import Connection
from apps.providers.trading import ClockData

logger = logging.getLogger(__name__)

_UPSERT = """
    INSERT INTO market_venueclock AS c
        (id, venue, is_open, venue_at, next_open_at, next_close_at, asked_at, received_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (venue) DO UPDATE
    SET is_open = excluded.is_open, venue_at = excluded.venue_at, next_open_at = excluded.next_open_at,
        next_close_at = excluded.next_close_at, asked_at = excluded.asked_at, received_at = excluded.received_at
    WHERE excluded.asked_at > c.asked_at
"""


def refresh_clock(*, connection: Connection) -> None:
    """Ask the connection's venue for its clock unless the stored one is fresh; read it again afterwards.

    Does HTTP: call it outside of any transaction. Of all processes one asks, the others wait for its answer; should it
    have failed with another connection, this one is tried. When the venue fails, the stored clock stays as it is and
    grows stale.
    """
    if _is_fresh(connection.provider):
        return

    def ask(_mine: Sequence[str]) -> None:
        if not _is_fresh(connection.provider):
            _fetch(connection)

    try:
        fly([f"clock:{connection.provider}"], ask, by=str(connection.id))
    except ProviderError as error:
        logger.warning("market.clock_not_refreshed", extra={"venue": connection.provider, "code": error.code})


def _is_fresh(venue: str) -> bool:
    stored = VenueClock.objects.filter(venue=venue).first()
    return clock_freshness_of(stored, now=clock.now()) == Freshness.FRESH


def _fetch(connection: Connection) -> None:
    with registry.brokerage_for(connection) as adapter:
        asked_at = clock.now()
        data = adapter.clock()
        received_at = clock.now()
    with database.cursor() as cursor:
        cursor.execute(_UPSERT, _values(connection.provider, data, asked_at, received_at))


def _values(venue: str, data: ClockData, asked_at: datetime, received_at: datetime) -> list[Any]:
    times = [data.venue_at, data.next_open_at, data.next_close_at, asked_at, received_at]
    return [new_id(), venue, data.is_open, *times]
