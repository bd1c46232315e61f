"""What it costs to lease a job whose turn it is, against first come, first served from the same table.

A hundred thousand jobs wait, half of them one tenant's, the others those of forty-nine more. The peer is the usual
statement: the longest due first, whoever's it is, by an index of its own. Both commit each lease.
"""

from collections.abc import Callable, Iterator, Mapping
from time import perf_counter

import psycopg

from apps.core import clock
from apps.core.db.statements import Statement, run_in_one_trip
from apps.core.scope import system_scope
from apps.jobs.services.leasing import lease_next
from apps.jobs.turns import Turns
from benchmarks.result import Result

ROUNDS = 3
LEASES = 1_000
_FILL = """
INSERT INTO jobs_job (id, tenant_id, kind, queue, priority, payload, unique_key, state, run_at, attempts, max_attempts,
                      lease_seconds, soft_seconds, hard_seconds, fence, leased_by, last_error_code, last_error_message,
                      last_traceback, actor, request_id, traceparent, created_at)
SELECT gen_random_uuid(), lpad(to_hex(greatest(n % 99 - 49, 0)), 32, '0')::uuid, 'bench', 'bench', 10 * (n % 2),
       '{}', '', 'queued', now() - make_interval(secs => n), 0, 3, 600, 600, 900, 0, '', '', '', '', '{}', '', '', now()
  FROM generate_series(1, 100000) AS n
"""
_FIRST_COME = """
UPDATE jobs_job
   SET state = 'leased', attempts = attempts + 1, fence = fence + 1, started_at = $1, leased_by = 'benchmark',
       heartbeat_at = $1, leased_until = $1::timestamptz + make_interval(secs => lease_seconds)
 WHERE id = (SELECT id FROM jobs_job
              WHERE state = 'queued' AND queue = 'bench' AND run_at <= $1 AND kind = ANY($2::text[])
              ORDER BY priority DESC, run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, tenant_id, payload, priority, fence
"""


def jobs_benchmark(environment: Mapping[str, str]) -> Iterator[Result]:
    """Measure leases a second, ours and the peer's in turns."""
    turns, ours, peer = Turns(), [], []

    def in_turn() -> object:
        return lease_next(queue="bench", kinds=["bench"], worker="benchmark", now=clock.now(), turns=turns)

    def first_come() -> object:
        return run_in_one_trip([Statement(_FIRST_COME, [clock.now(), ["bench"]])])[0]

    with psycopg.connect(environment["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute("CREATE INDEX bench ON jobs_job (queue, priority DESC, run_at, id) WHERE state = 'queued'")
        owner.execute(_FILL)
        owner.execute("ANALYZE jobs_job")
        for _ in range(ROUNDS):
            peer.append(_rate(first_come))
            ours.append(_rate(in_turn))
        owner.execute("TRUNCATE jobs_job")
        owner.execute("DROP INDEX bench")
    yield Result(name="job_leases", unit="leases/s", ours=ours, peer=peer)


def _rate(lease: Callable[[], object]) -> float:
    started = perf_counter()
    for _ in range(LEASES):
        with system_scope():
            assert lease()
    return LEASES / (perf_counter() - started)
