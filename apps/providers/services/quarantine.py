"""Keeps the rows that a provider sent and that did not map, for people to see."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import F

from apps.core.ids import new_id
from apps.core.scope import current_tenant_id
from apps.providers.models import Connection, QuarantinedRow, SyncRun
from apps.providers.types import RejectedRow

# The count on the run is exact; the rows kept are bounded, so that a provider that has lost its mind cannot
# fill our disk.
KEPT_PER_RUN = 500

# (entity, external id) -> whether the sync read that row and it maps.
IsMapped = Callable[[str, str], bool]


def quarantine(run: SyncRun, rejected: Sequence[RejectedRow], *, now: datetime) -> None:
    """Keep each refused row once per connection; a row that was kept before counts up."""
    fresh: dict[tuple[str, str], RejectedRow] = {(row.entity, _key(row)): row for row in rejected[:KEPT_PER_RUN]}
    if not fresh:
        return
    known = QuarantinedRow.objects.filter(connection=run.connection, row_key__in=[key for _entity, key in fresh])
    for kept in known.select_for_update():
        row = fresh.pop((kept.entity, kept.row_key), None)
        if row is not None:
            _see_again(kept, row, run, now)
    QuarantinedRow.objects.bulk_create(
        QuarantinedRow(
            id=new_id(),
            tenant_id=current_tenant_id(),
            connection=run.connection,
            entity=entity,
            row_key=key,
            first_seen_at=now,
            **_values(row, run, now),
        )
        for (entity, key), row in fresh.items()
    )


def resolve_mapped(
    connection: Connection, rejected: Sequence[RejectedRow], is_mapped: IsMapped, *, now: datetime
) -> None:
    """Close the open rows that map by now. A row without an id of its own cannot be told to; it stays open."""
    refused = {(row.entity, _key(row)) for row in rejected}
    still_open = QuarantinedRow.objects.filter(connection=connection, resolved_at__isnull=True)
    mapped = [
        row_id
        for row_id, entity, key in still_open.values_list("id", "entity", "row_key")
        if (entity, key) not in refused and is_mapped(entity, key)
    ]
    if mapped:
        QuarantinedRow.objects.filter(id__in=mapped).update(resolved_at=now)


def _see_again(kept: QuarantinedRow, row: RejectedRow, run: SyncRun, now: datetime) -> None:
    QuarantinedRow.objects.filter(id=kept.id).update(occurrences=F("occurrences") + 1, **_values(row, run, now))


def _values(row: RejectedRow, run: SyncRun, now: datetime) -> dict[str, Any]:
    return {
        "run": run,
        "reason": row.reason[:500],
        "excerpt": dict(row.excerpt),
        "last_seen_at": now,
        "resolved_at": None,
    }


def _key(row: RejectedRow) -> str:
    if 0 < len(row.external_id) <= 200:
        return row.external_id
    # Without an id of its own a row is known by what it says.
    content = repr((row.external_id, sorted(row.excerpt.items(), key=lambda item: str(item[0])), row.reason))
    return "sha256:" + hashlib.sha256(content.encode(errors="replace")).hexdigest()
