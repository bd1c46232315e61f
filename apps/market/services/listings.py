"""Takes over a venue's list of instruments."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.utils.translation import gettext as _

from apps.core import clock
from apps.core.ids import new_id
from apps.market.models import ListingImport
from apps.providers import registry
from apps.providers.enums import ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.models import Connection
from apps.providers.trading import AssetData
from apps.providers.types import RejectedRow

logger = logging.getLogger(__name__)

BATCH = 2_000
KEPT_REFUSALS = 100

# Sorted by key, so that two venues' imports lock the instruments that they share in one order.
_INSTRUMENTS = """
    INSERT INTO market_instrument AS i (id, key, symbol, name, asset_class, currency, created_at)
    SELECT a.id, a.key, split_part(a.key, ':', 2), a.name, a.asset_class, a.currency, %(now)s
    FROM unnest(%(instrument_id)s::uuid[], %(key)s::text[], %(name)s::text[], %(asset_class)s::text[],
            %(currency)s::text[])
        AS a (id, key, name, asset_class, currency)
    ORDER BY a.key
    ON CONFLICT (key) DO UPDATE SET name = excluded.name
    WHERE i.name <> excluded.name AND excluded.name <> ''
"""
# A venue may give the id of one instrument to another (a company changes its symbol): the id is freed first.
_FREE_IDS = """
    UPDATE market_listing AS l
    SET external_id = 'was:' || l.id, listed = false, tradable = false, updated_at = %(now)s
    FROM unnest(%(external_id)s::text[], %(key)s::text[]) AS a (external_id, key)
    WHERE l.venue = %(venue)s AND l.external_id = a.external_id
      AND l.instrument_id <> (SELECT id FROM market_instrument i WHERE i.key = a.key)
"""
_COLUMNS = (
    "external_id",
    "symbol",
    "tradable",
    "shortable",
    "fractionable",
    "minimum_quantity",
    "quantity_increment",
    "price_increment",
)


def _prefixed(alias: str) -> str:
    return ", ".join(f"{alias}.{name}" for name in _COLUMNS)


_NAMES = ", ".join(_COLUMNS)
_CHANGES = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)
_LISTINGS = f"""
    INSERT INTO market_listing AS l (id, instrument_id, venue, {_NAMES}, listed, updated_at)
    SELECT a.id, i.id, %(venue)s, {_prefixed("a")}, true, %(now)s
    FROM unnest(%(listing_id)s::uuid[], %(key)s::text[], %(external_id)s::text[], %(symbol)s::text[],
            %(tradable)s::boolean[], %(shortable)s::boolean[], %(fractionable)s::boolean[],
            %(minimum_quantity)s::numeric[], %(quantity_increment)s::numeric[], %(price_increment)s::numeric[])
        AS a (id, key, {_NAMES})
    JOIN market_instrument i ON i.key = a.key
    ORDER BY i.key
    ON CONFLICT (venue, instrument_id) DO UPDATE SET {_CHANGES}, listed = true, updated_at = excluded.updated_at
    WHERE (NOT l.listed, {_prefixed("l")}) IS DISTINCT FROM (false, {_prefixed("excluded")})
    RETURNING xmax = 0
"""  # noqa: S608  (column names are ours)
# What did not map is still there, but its rules are not known: it cannot be traded.
_UNLIST = """
    UPDATE market_listing SET listed = external_id = ANY(%(refused)s), tradable = false, updated_at = %(now)s
    WHERE venue = %(venue)s AND NOT external_id = ANY(%(mapped)s)
      AND (tradable OR listed <> (external_id = ANY(%(refused)s)))
    RETURNING listed
"""


@dataclass(slots=True)
class _List:
    """What a venue's list says: by canonical key what maps, and what does not."""

    assets: dict[str, AssetData] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)  # by the venue's id
    refused: list[RejectedRow] = field(default_factory=list)

    def take(self, row: AssetData | RejectedRow) -> None:
        """Add a row; of several assets with one key, such as a symbol's former owners, the tradable one counts."""
        if isinstance(row, RejectedRow):
            self.refused.append(row)
        elif problem := _problem_with(row):
            self.refused.append(_refuse(row, problem))
        elif self.keys.setdefault(row.external_id, row.key) != row.key:
            self.refused.append(_refuse(row, _("Another instrument has its id.")))
        elif row.key not in self.assets or (row.tradable and not self.assets[row.key].tradable):
            self.assets[row.key] = row
        elif row.tradable:
            self.refused.append(_refuse(row, _("Another instrument that can be traded has its symbol.")))


def import_listings(*, connection: Connection) -> ListingImport:
    """Take over the whole list of the connection's venue; what it no longer lists is marked. Idempotent.

    Does HTTP: call it outside of any transaction. Each batch commits by itself, so an import that ends halfway
    leaves a list that the next one completes.

    Raises:
        ProviderError: the list could not be read, or was empty.
    """
    found = _read(connection)
    venue, now = connection.provider, clock.now()
    added = changed = 0
    assets = iter(sorted(found.assets.values(), key=lambda asset: asset.key))
    while batch := list(islice(assets, BATCH)):
        are_new = _apply(venue, batch, now)
        added, changed = added + sum(are_new), changed + len(are_new) - sum(are_new)
    counts = {"added": added, "changed": changed, "unlisted": _unlist(venue, found, now)}
    return _note(venue, found, counts)


def _read(connection: Connection) -> _List:
    found = _List()
    with registry.brokerage_for(connection) as adapter:
        for row in adapter.assets():
            found.take(row)
    if found.assets:
        return found
    raise ProviderError(
        provider=connection.provider,
        operation="assets.list",
        category=ErrorCategory.RETRYABLE,
        code="empty_list",
        message=_("The venue lists nothing; what it listed before is kept."),
    )


def _problem_with(asset: AssetData) -> str:
    """Say why an asset cannot be stored; "" when it can."""
    if ":" not in asset.key or len(asset.key) > 64 or not 0 < len(asset.symbol) <= 40:
        return _("It has no usable symbol.")
    if not 0 < len(asset.external_id) <= 64:
        return _("It has no usable id.")
    return ""


def _refuse(asset: AssetData, reason: str) -> RejectedRow:
    return RejectedRow(entity="asset", external_id=asset.external_id, reason=reason, excerpt={"symbol": asset.symbol})


def _apply(venue: str, batch: Sequence[AssetData], now: datetime) -> list[bool]:
    """Write a batch; return for each listing that was written whether it is new."""
    columns: dict[str, Any] = {name: [getattr(asset, name) for asset in batch] for name in _COLUMNS}
    columns |= {name: [getattr(asset, name) for asset in batch] for name in ("key", "asset_class", "currency")}
    columns["name"] = [asset.name[:300] for asset in batch]
    columns |= {name: [new_id() for _asset in batch] for name in ("instrument_id", "listing_id")}
    with transaction.atomic(), database.cursor() as cursor:
        for statement in (_INSTRUMENTS, _FREE_IDS, _LISTINGS):
            cursor.execute(statement, {**columns, "venue": venue, "now": now})
        return [is_new for (is_new,) in cursor.fetchall()]


def _unlist(venue: str, found: _List, now: datetime) -> int:
    """Mark what is not on the list; return how many listings that were."""
    mapped = [asset.external_id for asset in found.assets.values()]
    refused = [row.external_id for row in found.refused if row.external_id]
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute(_UNLIST, {"venue": venue, "mapped": mapped, "refused": refused, "now": now})
        return sum(not is_listed for (is_listed,) in cursor.fetchall())


def _note(venue: str, found: _List, counts: Mapping[str, int]) -> ListingImport:
    totals = {"listed": len(found.assets), "refused": len(found.refused), **counts}
    logger.info("market.listings_imported", extra={"venue": venue, **totals})
    refusals = [
        {"external_id": row.external_id, "reason": row.reason, "excerpt": dict(row.excerpt)}
        for row in found.refused[:KEPT_REFUSALS]
    ]
    values = {**totals, "refusals": refusals, "finished_at": clock.now()}
    row, _is_new = ListingImport.objects.update_or_create(venue=venue, defaults=values)
    return row
