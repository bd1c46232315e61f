"""Gives pending rows their per-tenant sequence: gapless, in commit-safe order, by several workers at once.

Rows are written without a sequence and get a `position` from a database sequence. A cursor over positions
would lose rows that commit late; a horizon over snapshots would stall on any long transaction. So the rows
without a sequence are a queue: whoever holds the tenant's counter row numbers what is visible, and what commits
later is numbered later. The rows of one entity keep their order, because their writers held the entity's lock
while they took their positions.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, models

from apps.core.db.counting import count_and_oldest
from apps.core.ids import new_id
from apps.core.models import BaseModel
from apps.core.retention import Retention
from apps.core.scope import system_scope

logger = logging.getLogger(__name__)

BATCH_ROWS = 500


class SequenceCounter(BaseModel):
    """The last sequence given in one tenant's log; its row lock is the right to give the next.

    The installation's own log has no tenant.
    """

    retention = Retention.EVIDENCE

    tenant_id = models.UUIDField(null=True, editable=False)
    last_sequence = models.BigIntegerField(default=0, editable=False)

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id"], name="%(app_label)s_%(class)s_one_per_tenant", nulls_distinct=False
            )
        ]


@dataclass(frozen=True, slots=True)
class Numbered:
    """A batch that has just been given its sequences, from `first` to `last`, in the transaction that did."""

    tenant_id: UUID | None
    first: int
    last: int
    now: datetime


@dataclass(frozen=True, slots=True)
class Stream:
    """A table of pending rows (`tenant_id`, `position`, `sequence`) and its counters.

    `happened_at` names the column of the row's own time, `stamp` the one for the time of numbering, if any.
    `on_numbered` takes part in the numbering of each batch: when it raises, that batch is not numbered.
    """

    rows: type[models.Model]
    counters: type[SequenceCounter]
    happened_at: str
    stamp: str = ""
    on_numbered: Callable[[Numbered], None] | None = None


class _NotNumbered(Exception):
    """What takes part in the numbering of a batch has failed, so the batch was rolled back."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many rows wait for their sequence, and for how many seconds the oldest has. `rows` stops at AT_MOST + 1."""

    rows: int
    lag_seconds: float


def sequence_pending(stream: Stream, *, now: datetime, batch_rows: int = BATCH_ROWS) -> int:
    """Number one batch of every tenant that has pending rows; return how many rows were numbered.

    Each batch is a transaction of its own. A tenant that another worker is numbering is passed over: that
    worker, or the next sweep, takes what is left. So is one whose batch `on_numbered` fails for: its rows wait,
    which the lag shows, rather than go on without what had to happen with them.
    """
    with system_scope():
        pending = stream.rows._default_manager.filter(sequence=None)
        tenants = list(pending.values_list("tenant_id", flat=True).distinct())
    numbered = 0
    for tenant_id in tenants:
        try:
            numbered += _sequence_tenant(stream, tenant_id, now, batch_rows)
        except _NotNumbered:
            logger.exception("sequencing.batch_failed", extra={"tenant_id": str(tenant_id)})
    return numbered


def backlog(stream: Stream, *, now: datetime) -> Backlog:
    """Return the stream's backlog over all tenants, counted up to a bound; in a staff or system scope."""
    pending = stream.rows._default_manager.filter(sequence=None)
    rows, oldest = count_and_oldest(pending, stream.happened_at)
    lag = (now - oldest).total_seconds() if oldest else 0.0
    return Backlog(rows=rows, lag_seconds=max(lag, 0.0))


def _sequence_tenant(stream: Stream, tenant_id: UUID | None, now: datetime, batch_rows: int) -> int:
    with system_scope():
        counter = _lock_counter(stream, tenant_id)
        if counter is None:
            return 0
        # A statement of its own, after the lock: it must see what the previous holder committed.
        pending = stream.rows._default_manager.filter(tenant_id=tenant_id, sequence=None)
        ids = list(pending.order_by("position").values_list("pk", flat=True)[:batch_rows])
        if ids:
            _number(stream, counter, ids, now)
            _tell(stream, Numbered(tenant_id, counter.last_sequence + 1, counter.last_sequence + len(ids), now))
    return len(ids)


def _tell(stream: Stream, batch: Numbered) -> None:
    try:
        if stream.on_numbered:
            stream.on_numbered(batch)
    except Exception as error:
        raise _NotNumbered(f"{batch.first} to {batch.last}") from error


def _lock_counter(stream: Stream, tenant_id: UUID | None) -> SequenceCounter | None:
    """Return the tenant's counter, locked, creating it the first time; None while another worker holds it."""
    table = connection.ops.quote_name(stream.counters._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (id, tenant_id, last_sequence) VALUES (%s, %s, 0) ON CONFLICT DO NOTHING",  # noqa: S608  (our names)
            [new_id(), tenant_id],
        )
    counters = stream.counters._default_manager.select_for_update(skip_locked=True)
    return counters.filter(tenant_id=tenant_id).first()


def _number(stream: Stream, counter: SequenceCounter, ids: list[UUID], now: datetime) -> None:
    quote = connection.ops.quote_name
    rows, counters = quote(stream.rows._meta.db_table), quote(stream.counters._meta.db_table)
    stamp = f", {quote(stream.stamp)} = %(now)s" if stream.stamp else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {rows} AS pending SET sequence = %(last)s + batch.ordinal{stamp} "  # noqa: S608  (our names)
            "FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS batch (id, ordinal) WHERE pending.id = batch.id",
            {"last": counter.last_sequence, "ids": ids, "now": now},
        )
        cursor.execute(
            f"UPDATE {counters} SET last_sequence = last_sequence + %s WHERE id = %s",  # noqa: S608  (our names)
            [len(ids), counter.pk],
        )
