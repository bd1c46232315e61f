"""Gives pending rows their per-tenant sequence: gapless, in commit-safe order, by several workers at once.

Rows are written without a sequence and get a `position` from a database sequence. A cursor over positions
would lose rows that commit late; a horizon over snapshots would stall on any long transaction. So the rows
without a sequence are a queue: whoever holds the tenant's counter row numbers what is visible, and what commits
later is numbered later. The rows of one entity keep their order, because their writers held the entity's lock
while they took their positions.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID

from django.db import DatabaseError, connection, models

from apps.core import clock
from apps.core.db.counting import AT_MOST
from apps.core.db.statements import Statement, run_in_one_trip
from apps.core.ids import new_id
from apps.core.models import BaseModel
from apps.core.retention import Retention
from apps.core.scope import system_scope_with

logger = logging.getLogger(__name__)

BATCH_ROWS = 500
# A bound on one run; what is left is the next wake's or sweep's.
LONGEST_DRAIN_SECONDS = 30.0
# A tenant whose batch failed is left alone for so long, each time twice as long, while others are served.
SHORTEST_REST_SECONDS, LONGEST_REST_SECONDS = 1.0, 30.0
# The relay goes from tenant to tenant: one with a lock in its way is late, not all those behind it.
_PATIENCE = "SELECT set_config('lock_timeout', '500ms', true)"


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


@dataclass(frozen=True)
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

    @cached_property
    def sql(self) -> "StreamSql":
        """The statements of this stream."""
        return StreamSql(self)


class _NotNumbered(Exception):
    """What takes part in the numbering of a batch has failed, so the batch was rolled back."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many rows wait for their sequence, and for how many seconds the oldest has. `rows` stops at AT_MOST + 1."""

    rows: int
    lag_seconds: float


def drain(stream: Stream, *, batch_rows: int = BATCH_ROWS, seconds: float = LONGEST_DRAIN_SECONDS) -> int:
    """Number pending rows until none is left that this process can take, at most this long; return how many.

    Whoever has had less than a batch of this run is served at once. The others get a batch each time that all have
    been looked at anew, whoever had least first: a tenant with a long queue costs another one a batch of waiting.
    """
    given: Counter[UUID | None] = Counter()
    passed_over: set[UUID | None] = set()
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        waiting = [tenant for tenant in _pending_tenants(stream) if tenant not in passed_over]
        waiting = [tenant for tenant in waiting if not _is_resting(stream, tenant)]
        if not waiting:
            break
        light = [tenant for tenant in waiting if given[tenant] < batch_rows]
        for tenant_id in light or [min(waiting, key=lambda tenant: given[tenant])]:
            numbered = _try_tenant(stream, tenant_id, clock.now(), batch_rows)
            given[tenant_id] += numbered
            if not numbered:
                passed_over.add(tenant_id)
    return given.total()


def sequence_pending(stream: Stream, *, now: datetime, batch_rows: int = BATCH_ROWS) -> int:
    """Number one batch of every tenant that has pending rows; return how many rows were numbered.

    Each batch is a transaction of its own. A tenant that another worker is numbering is passed over: that
    worker, or the next sweep, takes what is left. So is one whose batch `on_numbered` fails for: its rows wait,
    which the lag shows, rather than go on without what had to happen with them.
    """
    return sum(_try_tenant(stream, tenant_id, now, batch_rows) for tenant_id in _pending_tenants(stream))


def backlog(stream: Stream, *, now: datetime) -> Backlog:
    """Return the stream's backlog over all tenants, its rows counted up to a bound; in a staff or system scope."""
    with connection.cursor() as cursor:
        cursor.execute(stream.sql.backlog)
        rows, oldest = cursor.fetchone()
    lag = (now - oldest).total_seconds() if oldest else 0.0
    return Backlog(rows=rows, lag_seconds=max(lag, 0.0))


class StreamSql:
    """What is sent for a stream; a tenant of None stands for the installation."""

    def __init__(self, stream: Stream) -> None:
        quote = connection.ops.quote_name
        self.rows, self.counters = quote(stream.rows._meta.db_table), quote(stream.counters._meta.db_table)
        self._at, self._stamp = quote(stream.happened_at), stream.stamp and quote(stream.stamp)

    @property
    def oldest(self) -> str:
        """Each tenant's first pending row and its time: a look at the index for each, however many rows wait."""
        first = f"SELECT tenant_id, {self._at} AS at FROM {self.rows} WHERE sequence IS NULL AND"  # noqa: S608  (our names)
        return f"""
            WITH RECURSIVE head AS (
                ({first} tenant_id IS NOT NULL ORDER BY tenant_id, position LIMIT 1)
                UNION ALL
                SELECT next.* FROM head, LATERAL (
                    {first} tenant_id > head.tenant_id ORDER BY tenant_id, position LIMIT 1) AS next
            )
            SELECT tenant_id, at FROM head
            UNION ALL ({first} tenant_id IS NULL ORDER BY position LIMIT 1)
        """  # noqa: S608

    @property
    def backlog(self) -> str:
        """How many rows are pending, counted up to a bound, and the time of the oldest."""
        counted = f"SELECT FROM {self.rows} WHERE sequence IS NULL LIMIT {AT_MOST + 1:d}"
        return f"SELECT (SELECT count(*) FROM ({counted}) AS counted), min(at) FROM ({self.oldest}) AS oldest"  # noqa: S608

    def lock_counter(self, tenant_id: UUID | None) -> list[Statement]:
        """Make the tenant's counter if there is none, and lock it; no row while another worker holds it."""
        return [
            Statement(_PATIENCE),
            Statement(
                f"INSERT INTO {self.counters} (id, tenant_id, last_sequence) SELECT %s, %s, 0 "  # noqa: S608  (our names)
                f"WHERE NOT EXISTS (SELECT FROM {self.counters} WHERE {_is(tenant_id)}) ON CONFLICT DO NOTHING",
                [new_id(), tenant_id, tenant_id],
            ),
            Statement(
                f"SELECT id, last_sequence FROM {self.counters} WHERE {_is(tenant_id)} FOR UPDATE SKIP LOCKED",  # noqa: S608
                [tenant_id],
            ),
        ]

    def number(self, tenant_id: UUID | None, *, counter_id: UUID, last: int, now: datetime, most: int) -> Statement:
        """Number a batch and move the counter on; it returns the last sequence given, or no row if none was."""
        stamp, stamps = (f", {self._stamp} = %s", [now]) if self._stamp else ("", [])
        # The bound stands in the text: a plan that does not know it would read the whole table.
        return Statement(
            f"""
            WITH batch AS MATERIALIZED (
                SELECT id, row_number() OVER (ORDER BY position) AS ordinal FROM (
                    SELECT id, position FROM {self.rows} WHERE {_is(tenant_id)} AND sequence IS NULL
                    ORDER BY position LIMIT {most:d}) AS pending
            ), numbered AS (
                UPDATE {self.rows} AS pending SET sequence = %s::bigint + batch.ordinal{stamp}
                FROM batch WHERE pending.id = batch.id
            )
            UPDATE {self.counters} SET last_sequence = last_sequence + (SELECT count(*) FROM batch)
            WHERE id = %s AND EXISTS (SELECT FROM batch) RETURNING last_sequence
            """,  # noqa: S608  (our names and a number)
            [tenant_id, last, *stamps, counter_id],
        )


def _is(tenant_id: UUID | None) -> str:
    """Return the condition that a row is the tenant's: an index serves either, and no comparison that knows both."""
    return "tenant_id = %s" if tenant_id else "tenant_id IS NULL AND %s::uuid IS NULL"


# Of each tenant and stream whose last batch failed: until when it rests, and for how long this time.
_rests: dict[tuple[str, UUID | None], tuple[float, float]] = {}


def _is_resting(stream: Stream, tenant_id: UUID | None) -> bool:
    until, _pause = _rests.get((stream.sql.rows, tenant_id), (0.0, 0.0))
    return time.monotonic() < until


def _rest(stream: Stream, tenant_id: UUID | None) -> None:
    key = (stream.sql.rows, tenant_id)
    _until, last = _rests.get(key, (0.0, 0.0))
    pause = min(max(last * 2, SHORTEST_REST_SECONDS), LONGEST_REST_SECONDS)
    _rests[key] = (time.monotonic() + pause, pause)


def _pending_tenants(stream: Stream) -> list[UUID | None]:
    """Return who has pending rows, whoever has waited longest first."""
    with system_scope_with([Statement(stream.sql.oldest)]) as [found]:
        return [tenant_id for tenant_id, _at in sorted(found, key=lambda row: row[1])]


def _try_tenant(stream: Stream, tenant_id: UUID | None, now: datetime, batch_rows: int) -> int:
    """Number a batch of one tenant; when that fails, say so and leave it for later: others do not wait for it."""
    try:
        numbered = _sequence_tenant(stream, tenant_id, now, batch_rows)
    except (_NotNumbered, DatabaseError):
        logger.exception("sequencing.batch_failed", extra={"tenant_id": str(tenant_id)})
        _rest(stream, tenant_id)
        return 0
    _rests.pop((stream.sql.rows, tenant_id), None)
    return numbered


def _sequence_tenant(stream: Stream, tenant_id: UUID | None, now: datetime, batch_rows: int) -> int:
    with system_scope_with(stream.sql.lock_counter(tenant_id)) as [*_prepared, locked]:
        if not locked:
            return 0
        [(counter_id, last)] = locked
        # A trip of its own, after the lock: it must see what the previous holder committed.
        number = stream.sql.number(tenant_id, counter_id=counter_id, last=last, now=now, most=batch_rows)
        [numbered] = run_in_one_trip([number])
        if not numbered:
            return 0
        [(reached,)] = numbered
        _tell(stream, Numbered(tenant_id, last + 1, reached, now))
    return int(reached - last)


def _tell(stream: Stream, batch: Numbered) -> None:
    try:
        if stream.on_numbered:
            stream.on_numbered(batch)
    except Exception as error:
        raise _NotNumbered(f"{batch.first} to {batch.last}") from error
