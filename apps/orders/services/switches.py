"""What is around every send: the kill switches and the locks that make them final (docs/adr/0008-kill-switch.md).

A sender holds three advisory locks, shared and of its session: the installation's, the tenant's, the account's. Whoever
engages a switch takes the lock of its level exclusively before the row is committed: it waits for the sends in the air
and lets no new one begin, so that after its commit none goes out.
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg.errors
from django.db import InterfaceError, OperationalError, connection, transaction

from apps.core.scope import current_scope, current_tenant_id
from apps.jobs.errors import RetryLater
from apps.orders.enums import SwitchScope

logger = logging.getLogger(__name__)

_HELD_SECONDS = 2


def engaged_sql(tenant_id: str, account_id: str) -> str:
    """Return the query for whose switches stop an account and why; both arguments are SQL expressions of ours."""
    return f"""
        SELECT 'installation: ' || reason FROM orders_installationkillswitch WHERE engaged
        UNION ALL
        SELECT CASE WHEN s.account_id IS NULL THEN 'tenant: ' ELSE 'account: ' END || s.reason
          FROM orders_killswitch s
         WHERE s.tenant_id = {tenant_id} AND s.engaged AND (s.account_id IS NULL OR s.account_id = {account_id})
    """  # noqa: S608  (no value is part of it)


_ENGAGED = engaged_sql("%(tenant_id)s", "%(account_id)s")


# pg_locks shows the key of an advisory lock in two halves, unsigned.
_SENDS = """
    SELECT key FROM unnest(%s::bigint[]) AS key
    WHERE EXISTS (
        SELECT FROM pg_locks
        WHERE locktype = 'advisory' AND granted AND mode = 'ShareLock' AND objsubid = 1
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND classid::bigint = (key >> 32) & 4294967295 AND objid::bigint = key & 4294967295
    )
"""


def line_of(level: SwitchScope, owner: UUID | None = None) -> int:
    """Return the key of a level's advisory lock; `owner` is the tenant's or account's id."""
    digest = hashlib.blake2b(f"finops kill switch {level} {owner or ''}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


@contextmanager
def holding_the_line(tenant_id: UUID, account_id: UUID) -> Iterator[None]:
    """Hold the locks of a send. Inside, look at `engaged_switches` first; then the send may begin.

    It takes a session of its own and no transaction. Should the session be lost inside, the locks are lost with it.

    Raises:
        RetryLater: somebody is engaging a switch at this moment. Nothing is held then.
    """
    if connection.in_atomic_block or current_scope() is not None:
        raise RuntimeError("orders are sent outside of transactions")
    keys = [
        line_of(SwitchScope.INSTALLATION),
        line_of(SwitchScope.TENANT, tenant_id),
        line_of(SwitchScope.ACCOUNT, account_id),
    ]
    with connection.cursor() as cursor:
        cursor.execute("SELECT key, pg_try_advisory_lock_shared(key) FROM unnest(%s::bigint[]) AS key", [keys])
        held = [key for key, taken in cursor.fetchall() if taken]
    try:
        if len(held) < len(keys):
            raise RetryLater(_HELD_SECONDS, "A kill switch is being engaged.")
        yield
    finally:
        _let_go(held)


def _let_go(keys: list[int]) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock_shared(key) FROM unnest(%s::bigint[]) AS key", [keys])
    except (OperationalError, InterfaceError) as error:
        # The session is gone, and its locks with it. A pooled connection that lived on would keep them: close it.
        logger.warning("kill_switch.session_lost", extra={"error": str(error)})
        connection.close()


def engaged_switches(*, account_id: UUID) -> tuple[str, ...]:
    """Return whose switches stop an account of the open scope's tenant and why, such as "tenant: year-end"."""
    with connection.cursor() as cursor:
        cursor.execute(_ENGAGED, {"tenant_id": current_tenant_id(), "account_id": account_id})
        return tuple(text for (text,) in cursor.fetchall())


def await_sends(key: int, *, seconds: float) -> bool:
    """Take a level's lock for the rest of the transaction, once its sends have ended; return False if one goes on.

    From the call on no new send of the level begins, until the transaction ends or the wait is given up.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('lock_timeout'), set_config('lock_timeout', %s, true)",
                [f"{seconds * 1000:.0f}"],
            )
            before = cursor.fetchone()[0]
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [before])
    except OperationalError as error:
        if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
            return False
        raise
    return True


def sends_under_way(keys: list[int]) -> set[int]:
    """Return the levels of which some send goes on. It looks and takes nothing, so nobody waits for whoever looks."""
    if not keys:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_SENDS, [keys])
        return {key for (key,) in cursor.fetchall()}
