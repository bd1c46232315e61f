"""Decides how far back to read each account."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from apps.accounts.types import SyncPlan, Window

# Teller has no delta cursor and banks change rows for days after they have posted.
OVERLAP = timedelta(days=10)
# A change before the window shows as drift, which has the whole history read at once (see `reading`). Changes that add
# up to nothing do not show: they are found when the whole history is read again in any case.
FULL_READ_INTERVAL = timedelta(days=7)
# A drift that outlived a full reading may be the bank's own and stay, or its list lags behind its balance.
DRIFT_READ_INTERVAL = timedelta(days=1)

# The lateral subqueries each read one end of an index, whatever the size of the account.
_WINDOWS = """
    SELECT a.external_id, a.id, LEAST(pending.date, posted.date), a.opening_balance + a.posted_total,
           a.provider_balance - a.opening_balance - a.posted_total, %s - a.fully_read_at
    FROM accounts_account a
    LEFT JOIN LATERAL (
        SELECT date FROM accounts_transaction t
        WHERE t.tenant_id = a.tenant_id AND t.account_id = a.id AND t.status = 'pending' ORDER BY date LIMIT 1
    ) pending ON true
    LEFT JOIN LATERAL (
        SELECT date FROM accounts_transaction t
        WHERE t.tenant_id = a.tenant_id AND t.account_id = a.id AND t.status = 'posted'
        ORDER BY date DESC, id DESC LIMIT 1
    ) posted ON true
    WHERE a.tenant_id = %s AND a.connection_id = %s AND a.first_read_at IS NOT NULL
"""
_POSTED = """
    SELECT external_id, amount FROM accounts_transaction
    WHERE tenant_id = %s AND account_id = %s AND status = 'posted' AND date >= %s
"""


def make_plan(*, tenant_id: UUID, connection_id: UUID, now: datetime) -> SyncPlan:
    """Return the window of every account that was read before.

    A window starts ten days before the oldest row that is still pending or the newest posted one, whichever is
    earlier. The whole history is due once a week, and once a day while the balance has drifted.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WINDOWS, [now, tenant_id, connection_id])
        return {
            external_id: _window(cursor, tenant_id, account_id, earlier, ours, drift, age)
            for external_id, account_id, earlier, ours, drift, age in cursor.fetchall()
        }


def _window(
    cursor: Any,
    tenant_id: UUID,
    account_id: UUID,
    earlier: date | None,
    ours: Decimal | None,
    drift: Decimal | None,
    age: timedelta | None,
) -> Window:
    since = earlier - OVERLAP if earlier else None
    if since is None or age is None or age >= (DRIFT_READ_INTERVAL if drift else FULL_READ_INTERVAL):
        return Window(since=since, must_read_all=True)
    cursor.execute(_POSTED, [tenant_id, account_id, since])
    posted: dict[str, Decimal] = dict(cursor.fetchall())
    older_total = None if ours is None else ours - sum(posted.values())
    return Window(since=since, posted=posted, older_total=older_total, drift=drift)
