"""The keys of data subjects stay under the installation's current field key."""

import logging
from datetime import datetime

from apps.audit import subject_keys
from apps.audit.models import AuditSubjectKey
from apps.core import crypto
from apps.core.scope import system_scope
from apps.core.seals import Row, SealedTable, key_id_in

logger = logging.getLogger(__name__)


def reseal_subject_key(sealed: Row, _now: datetime) -> bool:
    """Put a subject's key under the current field key; see `SealedTable.reseal`.

    No leaf: nothing changes of what it seals, and of the installation's log the worker writes none.
    """
    with system_scope():
        row = AuditSubjectKey.objects.select_for_update().filter(id=sealed.id, erased_at=None).first()
        if row is None or row.sealed_key is None:
            return False  # erased in between
        try:
            row.sealed_key = subject_keys.reseal_key(bytes(row.sealed_key), key_id=row.id)
        except crypto.DecryptionFailed:
            logger.warning("subject_key.not_resealed", extra={"row": str(sealed.id)})
            return False
        row.save(update_fields=["sealed_key"])
    return True


SUBJECT_KEYS = SealedTable(
    "keys of data subjects",
    "audit_subject_key",
    reseal_subject_key,
    key_id=key_id_in("sealed_key"),
    held="sealed_key IS NOT NULL",
    bound_to="concat('audit_subject_key:', id)",
    value="sealed_key",
)
