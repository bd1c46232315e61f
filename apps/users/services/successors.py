"""The sealed successors of refresh tokens, under the installation's current key."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from apps.core import crypto
from apps.core.seals import Row, SealedTable, key_id_in
from apps.users.models import RefreshToken

logger = logging.getLogger(__name__)


def reseal_successor(sealed: Row, now: datetime) -> bool:
    """Put a successor under the current key, or forget it when nobody may ask for it any more.

    See `SealedTable.reseal`.
    """
    with transaction.atomic():
        token = RefreshToken.objects.select_for_update().filter(id=sealed.id).first()
        if token is None or token.successor is None or token.replaced_at is None:
            return False  # a refresh was quicker
        if now - token.replaced_at > timedelta(seconds=settings.REFRESH_GRACE_SECONDS):
            token.successor = None
        else:
            bound_to = token.successor_bound_to()
            try:
                token.successor = crypto.encrypt(
                    crypto.decrypt(bytes(token.successor), bound_to=bound_to), bound_to=bound_to
                )
            except crypto.DecryptionFailed:
                logger.warning("successor.not_resealed", extra={"row": str(sealed.id)})
                return False
        token.save(update_fields=["successor"])
    return True


SUCCESSORS = SealedTable(
    "refresh successors",
    "users_refreshtoken",
    reseal_successor,
    key_id=key_id_in("successor"),
    held="successor IS NOT NULL",
    is_global=True,
    bound_to="concat('users_refreshtoken:', session_id, ':', id)",
    value="successor",
)
