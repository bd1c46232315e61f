"""Re-encrypts credentials after the installation's key has changed."""

import logging
from datetime import datetime
from uuid import UUID

from apps.audit import services as audit
from apps.core import crypto
from apps.core.actor import system_actor
from apps.core.errors import ReadOnly
from apps.core.scope import system_scope, write_scope
from apps.providers import events
from apps.providers.credentials import open_sealed, seal
from apps.providers.models import Credentials

logger = logging.getLogger(__name__)

BATCH = 200


def rotate_credentials(*, now: datetime, after: UUID | None = None, limit: int = BATCH) -> tuple[int, UUID | None]:
    """Put up to `limit` connections' credentials under the current key.

    Returns how many were re-encrypted, and where the next call goes on (None: that was all). What cannot be
    opened, or belongs to a tenant that is switched to read-only, is passed over and logged.
    """
    with system_scope():
        stale = Credentials.objects.exclude(key_id=crypto.current_key_id()).order_by("id")
        if after is not None:
            stale = stale.filter(id__gt=after)
        batch = list(stale.values_list("id", "tenant_id")[:limit])
    rotated = sum(_rotate(row_id, tenant_id, now) for row_id, tenant_id in batch)
    return rotated, batch[-1][0] if len(batch) == limit else None


def _rotate(row_id: UUID, tenant_id: UUID, now: datetime) -> bool:
    actor = system_actor("key-rotation", tenant_id=tenant_id)
    try:
        with write_scope(actor):
            row = Credentials.objects.select_for_update().filter(id=row_id).first()
            if row is None:
                return False  # its connection was deleted in between
            before = row.key_id
            row.ciphertext, row.key_id = seal(open_sealed(row), tenant_id=tenant_id, connection_id=row.connection_id)
            row.rotated_at = now
            row.save(update_fields=["ciphertext", "key_id", "rotated_at"])
            audit.record(
                action=events.CONNECTION_CREDENTIALS_ROTATED,
                actor=actor,
                target_type="connection",
                target_id=row.connection_id,
                now=now,
                changes={"key_id": [before, row.key_id]},
            )
    except (crypto.DecryptionFailed, ReadOnly) as error:
        logger.warning("credentials.not_rotated", extra={"row": str(row_id), "error": type(error).__name__})
        return False
    return True
