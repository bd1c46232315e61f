"""How many requests each tenant has sent: out of the limiter's tally into a row a day."""

from datetime import date
from uuid import UUID

from django.db import connection

from apps.core.ids import new_id
from apps.core.scope import system_scope
from apps.core.shared import gcra

_PART = "request_counts"
# A tally may name tenants that another database has, where several share a Valkey.
_ADD = """
INSERT INTO tenants_requestcount (id, tenant_id, day, requests)
SELECT counted.* FROM unnest(%s::uuid[], %s::uuid[], %s::date[], %s::bigint[]) AS counted (id, tenant_id, day, requests)
 WHERE counted.tenant_id IN (SELECT id FROM tenants_tenant)
    ON CONFLICT (tenant_id, day) DO UPDATE SET requests = tenants_requestcount.requests + excluded.requests
"""


def store_request_counts(*, tally: str) -> int:
    """Add what was counted since the last call to the tenants' rows; return how many rows that changed.

    A process that is killed between taking and storing loses what it took, at most an interval of the job: a count may
    be too low by that, and is never too high.
    """
    counts = gcra.take_tally(tally, part=_PART)
    if not counts:
        return 0
    # In the order of the key, so that two of these at once do not wait for each other crosswise.
    rows: list[tuple[UUID, date, int]] = sorted((UUID(what), day, number) for (what, day), number in counts.items())
    tenants, days, numbers = (list(column) for column in zip(*rows, strict=True))
    with system_scope(), connection.cursor() as cursor:
        cursor.execute(_ADD, [[new_id() for _row in rows], tenants, days, numbers])
        return int(cursor.rowcount)
