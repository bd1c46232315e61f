"""Taking idempotency keys, keeping the answers, and forgetting them in time."""

from datetime import datetime, timedelta

import psycopg
from django.db import OperationalError, connection

from apps.core import crypto
from apps.core.ids import new_id
from apps.core.scope import current_tenant_id, system_scope
from apps.idempotency.errors import IdempotencyAnswerExpired, IdempotencyInFlight, IdempotencyKeyReused
from apps.idempotency.models import IdempotencyRecord
from apps.idempotency.types import Answer

KEPT = timedelta(days=30)
SECRET_KEPT = timedelta(hours=24)
IN_FLIGHT_WAIT_MS = 3000
EXPIRY_BATCH = 1000

# A record that has outlived KEPT but was not swept yet is taken over, as if it were gone.
_TAKE = """
INSERT INTO idempotency_record (id, tenant_id, key, fingerprint, headers, created_at, expires_at)
VALUES (%(id)s, %(tenant_id)s, %(key)s, %(fingerprint)s, '{}', %(now)s, %(expires_at)s)
ON CONFLICT (tenant_id, key) DO UPDATE
SET fingerprint = EXCLUDED.fingerprint, status = NULL, headers = '{}', body = NULL, body_expires_at = NULL,
    created_at = EXCLUDED.created_at, expires_at = EXCLUDED.expires_at
WHERE idempotency_record.expires_at <= EXCLUDED.created_at
RETURNING id
"""
_FORGET_BODIES = """
UPDATE idempotency_record SET body = NULL WHERE id IN (
    SELECT id FROM idempotency_record WHERE body_expires_at <= %(now)s AND body IS NOT NULL
    LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
"""
_FORGET_RECORDS = """
DELETE FROM idempotency_record WHERE id IN (
    SELECT id FROM idempotency_record WHERE expires_at <= %(now)s LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
"""


def take_key(*, key: str, fingerprint: bytes, now: datetime) -> Answer | None:
    """Take the key for this request and return None; or return the answer that it got before.

    In the tenant's write scope: the key is taken once the transaction commits, and free if it does not.

    Raises:
        IdempotencyInFlight: another transaction holds the key and did not end within IN_FLIGHT_WAIT_MS.
        IdempotencyKeyReused: the key belongs to a request with another fingerprint.
        IdempotencyAnswerExpired: the answer held a secret and is gone.
    """
    tenant_id = current_tenant_id()
    values = {
        "id": new_id(),
        "tenant_id": tenant_id,
        "key": key,
        "fingerprint": fingerprint,
        "now": now,
        "expires_at": now + KEPT,
    }
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [str(IN_FLIGHT_WAIT_MS)])
            cursor.execute(_TAKE, values)
            taken = cursor.fetchone() is not None
            cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
    except OperationalError as error:
        if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
            raise IdempotencyInFlight(retry_after=1) from error
        raise
    return None if taken else _stored_answer(key, fingerprint, now)


def keep_answer(*, key: str, answer: Answer, secret: bool, now: datetime) -> None:
    """Store the answer of the request that took the key; with `secret` encrypted, for SECRET_KEPT."""
    body = crypto.encrypt(answer.body, bound_to=_bound_to(key)) if secret else answer.body
    IdempotencyRecord.objects.filter(tenant_id=current_tenant_id(), key=key).update(
        status=answer.status,
        headers=dict(answer.headers),
        body=body,
        body_expires_at=now + SECRET_KEPT if secret else None,
    )


def expire_records(*, now: datetime, batch: int = EXPIRY_BATCH) -> int:
    """Forget one batch of outlived secret bodies and one of records; return how many rows changed."""
    with system_scope(), connection.cursor() as cursor:
        cursor.execute(_FORGET_BODIES, {"now": now, "batch": batch})
        changed = cursor.rowcount
        cursor.execute(_FORGET_RECORDS, {"now": now, "batch": batch})
        return changed + cursor.rowcount


def _stored_answer(key: str, fingerprint: bytes, now: datetime) -> Answer:
    record = IdempotencyRecord.objects.get(tenant_id=current_tenant_id(), key=key)
    if bytes(record.fingerprint) != fingerprint:
        raise IdempotencyKeyReused
    assert record.status is not None, "a committed record has its answer"
    if record.body_expires_at is None:
        return Answer(status=record.status, headers=record.headers, body=bytes(record.body or b""))
    if record.body is None or record.body_expires_at <= now:
        raise IdempotencyAnswerExpired
    body = crypto.decrypt(record.body, bound_to=_bound_to(key))
    return Answer(status=record.status, headers=record.headers, body=body)


def _bound_to(key: str) -> str:
    return f"idempotency_record:{current_tenant_id()}:{key}"
