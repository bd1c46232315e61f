"""Taking idempotency keys, keeping the answers, and forgetting them in time."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec
import psycopg
from django.db import OperationalError, connection

from apps.core import crypto
from apps.core.db.statements import Statement, run_in_one_trip
from apps.core.ids import new_id
from apps.core.scope import current_tenant_id, system_scope
from apps.core.seals import Row, SealedTable, key_id_in
from apps.idempotency.errors import IdempotencyAnswerExpired, IdempotencyInFlight, IdempotencyKeyReused
from apps.idempotency.models import IdempotencyRecord
from apps.idempotency.types import Answer

logger = logging.getLogger(__name__)

KEPT = timedelta(days=30)
SECRET_KEPT = timedelta(hours=24)
IN_FLIGHT_WAIT_MS = 3000
EXPIRY_BATCH = 1000
# A bound on one run; what is left is the next one's, a minute later.
LONGEST_EXPIRY_SECONDS = 45.0

_TABLE = "idempotency_record"

# Waits for a transaction that has inserted the same key and is still open: that is the mutual exclusion. The wait is
# bounded before it begins, and the bound then holds for whatever the transaction locks next.
_TAKE = """
INSERT INTO idempotency_record (id, tenant_id, key, fingerprint, headers, created_at, expires_at)
SELECT %s, %s, %s, %s, '{}', %s, %s WHERE set_config('lock_timeout', %s, true) IS NOT NULL
ON CONFLICT (tenant_id, key) DO NOTHING RETURNING id
"""
_PATIENT_AGAIN = "SET LOCAL lock_timeout TO DEFAULT"
# A record that has outlived KEPT and was not swept yet is taken as if it were gone.
_TAKE_OVER = """
UPDATE idempotency_record SET status = NULL, headers = '{}', body = NULL, body_expires_at = NULL,
       fingerprint = %s, created_at = %s, expires_at = %s
WHERE tenant_id = %s AND key = %s AND expires_at <= %s RETURNING id
"""
_FIND = """
SELECT fingerprint, status, headers, body, body_expires_at FROM idempotency_record WHERE tenant_id = %s AND key = %s
"""
_KEEP = """
UPDATE idempotency_record SET status = %s, headers = %s, body = %s, body_expires_at = %s
WHERE tenant_id = %s AND key = %s
"""
# From where the last batch ended: what it left behind in the index may not go while anybody's snapshot is older.
_FORGET_BODIES = """
UPDATE idempotency_record SET body = NULL WHERE id IN (
    SELECT id FROM idempotency_record
    WHERE body_expires_at BETWEEN %(after)s AND %(now)s AND body_expires_at IS NOT NULL AND body IS NOT NULL
    ORDER BY body_expires_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
RETURNING body_expires_at
"""
_FORGET_RECORDS = """
DELETE FROM idempotency_record WHERE id IN (
    SELECT id FROM idempotency_record WHERE expires_at BETWEEN %(after)s AND %(now)s
    ORDER BY expires_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
RETURNING expires_at
"""


def take_key(*, key: str, fingerprint: bytes, now: datetime) -> Answer | None:
    """Take the key for this request and return None; or return the answer that it got before.

    In the tenant's write scope: the key is taken once the transaction commits, and free if it does not.

    Raises:
        IdempotencyInFlight: another transaction holds the key and did not end within IN_FLIGHT_WAIT_MS.
        IdempotencyKeyReused: the key belongs to a request with another fingerprint.
        IdempotencyAnswerExpired: the answer held a secret and is gone.
    """
    take = take_statement(tenant_id=current_tenant_id(), key=key, fingerprint=fingerprint, now=now)
    with bounded_wait():
        taken, _reset = run_in_one_trip([take, Statement(_PATIENT_AGAIN)])
        return None if taken else find_answer(key=key, fingerprint=fingerprint, now=now)


def take_statement(*, tenant_id: UUID, key: str, fingerprint: bytes, now: datetime) -> Statement:
    """Return the statement that takes a key, for a service that opens its scope with it, inside `bounded_wait`.

    It returns a row where the key is taken; where it does not, `find_answer` knows more.
    """
    values = [new_id(), tenant_id, key, fingerprint, now, now + KEPT, str(IN_FLIGHT_WAIT_MS)]
    return Statement(_TAKE, values)


def find_answer(*, key: str, fingerprint: bytes, now: datetime) -> Answer | None:
    """Return the answer that an existing key got; None once its record is outlived, and thereby taken over.

    Raises: as `take_key`.
    """
    tenant_id = current_tenant_id()
    take_over = Statement(_TAKE_OVER, [fingerprint, now, now + KEPT, tenant_id, key, now])
    taken_over, found = run_in_one_trip([take_over, Statement(_FIND, [tenant_id, key])])
    if taken_over:
        return None
    if not found:
        raise IdempotencyInFlight(retry_after=1)  # It was swept between the two statements.
    return _kept_answer(_Kept(*found[0]), key, fingerprint, now)


def find_kept(*, key: str, fingerprint: bytes, now: datetime) -> Answer | None:
    """Return the answer that the scope's tenant keeps with a key, which is not taken; None without one.

    Raises:
        IdempotencyKeyReused, IdempotencyAnswerExpired: as `take_key`.
    """
    [found] = run_in_one_trip([Statement(_FIND, [current_tenant_id(), key])])
    return _kept_answer(_Kept(*found[0]), key, fingerprint, now) if found else None


def keep_answer(*, key: str, answer: Answer, secret: bool, now: datetime) -> None:
    """Store the answer of the request that took the key; with `secret` encrypted, for SECRET_KEPT."""
    body = crypto.encrypt(answer.body, bound_to=_bound_to(current_tenant_id(), key)) if secret else answer.body
    keep_statement(
        key=key, answer=replace(answer, body=body), body_expires_at=now + SECRET_KEPT if secret else None
    ).execute()


def keep_statement(*, key: str, answer: Answer, body_expires_at: datetime | None = None) -> Statement:
    """Return the statement that stores an answer, for a service that sends all of its rows at once."""
    headers = msgspec.json.encode(answer.headers).decode()
    return Statement(_KEEP, [answer.status, headers, answer.body, body_expires_at, current_tenant_id(), key])


def expire_records(*, now: datetime, batch: int = EXPIRY_BATCH, seconds: float = LONGEST_EXPIRY_SECONDS) -> int:
    """Forget every outlived secret body, then every outlived record, for at most so long; return how many rows changed.

    Each batch is a transaction of its own.
    """
    ends_at = time.monotonic() + seconds
    return sum(_forget(sql, now, batch, ends_at) for sql in (_FORGET_BODIES, _FORGET_RECORDS))


def _forget(sql: str, now: datetime, batch: int, ends_at: float) -> int:
    after, changed, is_more = datetime.min.replace(tzinfo=UTC), 0, True
    while is_more and time.monotonic() < ends_at:
        with system_scope(), connection.cursor() as cursor:
            cursor.execute(sql, {"after": after, "now": now, "batch": batch})
            times = [at for (at,) in cursor.fetchall()]
        changed, is_more = changed + len(times), len(times) == batch
        after = max(times, default=after)
    return changed


@contextmanager
def bounded_wait() -> Iterator[None]:
    """Turn a lock on a key that is not granted in time into IdempotencyInFlight, which ends the transaction."""
    try:
        yield
    except OperationalError as error:
        cause = error.__cause__
        # In a pipeline the error may come up with a later statement; its context says what was waited for.
        if isinstance(cause, psycopg.errors.LockNotAvailable) and _TABLE in (cause.diag.context or ""):
            raise IdempotencyInFlight(retry_after=1) from error
        raise


class _Kept(NamedTuple):
    """What `_FIND` returns."""

    fingerprint: bytes
    status: int | None
    headers: str
    body: bytes | None
    body_expires_at: datetime | None


def _kept_answer(kept: _Kept, key: str, fingerprint: bytes, now: datetime) -> Answer:
    if kept.fingerprint != fingerprint:
        raise IdempotencyKeyReused
    assert kept.status is not None, "a committed record has its answer"
    body = kept.body or b""
    if kept.body_expires_at is not None:
        if kept.body is None or kept.body_expires_at <= now:
            raise IdempotencyAnswerExpired
        body = crypto.decrypt(body, bound_to=_bound_to(current_tenant_id(), key))
    return Answer(status=kept.status, headers=msgspec.json.decode(kept.headers), body=body)


def _bound_to(tenant_id: UUID, key: str) -> str:
    return f"idempotency_record:{tenant_id}:{key}"


def reseal_answer(sealed: Row, now: datetime) -> bool:
    """Put a kept answer under the current key; see `SealedTable.reseal`. An outlived one is forgotten."""
    with system_scope():
        record = IdempotencyRecord.objects.select_for_update().filter(id=sealed.id).first()
        if record is None or record.body is None or record.body_expires_at is None:
            return False  # it was swept in between
        bound_to = _bound_to(record.tenant_id, record.key)
        try:
            body = crypto.decrypt(bytes(record.body), bound_to=bound_to)
        except crypto.DecryptionFailed:
            logger.warning("idempotency.answer_not_resealed", extra={"row": str(sealed.id)})
            return False
        record.body = crypto.encrypt(body, bound_to=bound_to) if record.body_expires_at > now else None
        record.save(update_fields=["body"])
    return True


# What expires is found by the index of what expires.
KEPT_ANSWERS = SealedTable(
    "kept answers",
    _TABLE,
    reseal_answer,
    key_id=key_id_in("body"),
    held="body_expires_at IS NOT NULL AND body IS NOT NULL",
    bound_to="concat('idempotency_record:', tenant_id, ':', key)",
    value="body",
)
