"""Re-encrypts credentials after the installation's key has changed."""

import logging
from datetime import datetime

from apps.core import crypto
from apps.core.actor import system_actor
from apps.core.errors import ReadOnly
from apps.core.scope import write_scope
from apps.core.seals import Row, SealedTable
from apps.providers import events
from apps.providers.credentials import open_sealed, seal
from apps.providers.models import Credentials
from apps.providers.services.recording import record

logger = logging.getLogger(__name__)


def reseal_credentials(sealed: Row, now: datetime) -> bool:
    """Put a connection's credentials under the current key; see `SealedTable.reseal`."""
    actor = system_actor("key-rotation", tenant_id=sealed.tenant_id)
    try:
        with write_scope(actor):
            row = Credentials.objects.select_for_update().filter(id=sealed.id).first()
            if row is None:
                return False  # its connection was deleted in between
            before = row.key_id
            row.ciphertext, row.key_id = seal(
                open_sealed(row), tenant_id=row.tenant_id, connection_id=row.connection_id
            )
            row.rotated_at = now
            row.save(update_fields=["ciphertext", "key_id", "rotated_at"])
            record(
                events.CONNECTION_CREDENTIALS_ROTATED, row.connection_id, {"key_id": [before, row.key_id]}, actor, now
            )
    except (crypto.DecryptionFailed, ReadOnly) as error:
        logger.warning("credentials.not_rotated", extra={"row": str(sealed.id), "error": type(error).__name__})
        return False
    return True


CREDENTIALS = SealedTable(
    "credentials",
    "providers_credentials",
    reseal_credentials,
    bound_to="concat('providers_credentials:', tenant_id, ':', connection_id)",
)
