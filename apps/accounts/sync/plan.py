"""Decides how far back to read each account."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection

from apps.accounts.types import SyncPlan, Window

# Teller has no delta cursor and banks change rows for days after they have posted.
OVERLAP = timedelta(days=10)
# A change outside of the window shows as drift, and then the whole history is read; not at each sync, though, since a
# drift may be the bank's own and stay.
FULL_READ_INTERVAL = timedelta(days=1)

# The lateral subqueries each read one end of an index, whatever the size of the account.
_WINDOWS = """
    SELECT a.external_id, a.id, LEAST(pending.date, posted.date),
           a.provider_balance <> a.opening_balance + a.posted_total AND a.fully_read_at < %s
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
    SELECT external_id FROM accounts_transaction
    WHERE tenant_id = %s AND account_id = %s AND status = 'posted' AND date >= %s
"""


def make_plan(*, tenant_id: UUID, connection_id: UUID, now: datetime) -> SyncPlan:
    """Return the window of every account that was read before.

    A window starts ten days before the oldest row that is still pending or the newest posted one, whichever is
    earlier. It is the whole history when there is no row, and once a day while the balance has drifted.
    """
    plan: dict[str, Window] = {}
    with connection.cursor() as cursor:
        cursor.execute(_WINDOWS, [now - FULL_READ_INTERVAL, tenant_id, connection_id])
        for external_id, account_id, earlier, must_read_all in cursor.fetchall():
            since = earlier - OVERLAP if earlier and not must_read_all else None
            posted: frozenset[str] = frozenset()
            if since:
                cursor.execute(_POSTED, [tenant_id, account_id, since])
                posted = frozenset(row[0] for row in cursor.fetchall())
            plan[external_id] = Window(since=since, posted=posted)
    return plan
