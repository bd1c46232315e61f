"""The secrets of endpoints: made, rotated, destroyed, and kept under the installation's current key."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from apps.audit import services as audit
from apps.core import crypto
from apps.core.actor import Actor, system_actor
from apps.core.errors import ReadOnly
from apps.core.scope import system_scope, write_scope
from apps.core.seals import Row, SealedTable
from apps.webhooks import events, signing
from apps.webhooks.models import Endpoint, EndpointSecret
from apps.webhooks.services.changing import save, tell
from apps.webhooks.services.locking import locked_endpoint

logger = logging.getLogger(__name__)

LONGEST_GRACE_SECONDS = 7 * 24 * 3600
BATCH = 200


def create_secret(endpoint: Endpoint, *, now: datetime) -> str:
    """Give an endpoint of the open scope's tenant a new current secret, and return it as its client gets it."""
    key = signing.new_key()
    ciphertext, key_id = signing.seal(key, tenant_id=endpoint.tenant_id, endpoint_id=endpoint.id)
    secret = EndpointSecret(
        tenant_id=endpoint.tenant_id, endpoint=endpoint, ciphertext=ciphertext, key_id=key_id, created_at=now
    )
    secret.save(force_insert=True)
    return signing.shown(key)


def destroy_secrets(endpoint: Endpoint) -> None:
    """Delete an endpoint's secrets."""
    EndpointSecret.objects.filter(endpoint_id=endpoint.id).delete()


def rotate_secret(
    *,
    endpoint_id: UUID,
    grace_seconds: int = 0,
    expected_version: int | None = None,
    actor: Actor,
    now: datetime,
) -> tuple[Endpoint, str]:
    """Give an endpoint a new secret; return both. For `grace_seconds` requests are signed with the old one, too.

    A grace that was still running ends: at most two secrets sign.

    Raises:
        NotFound, VersionConflict: see `locked_endpoint`.
    """
    with write_scope(actor):
        endpoint = locked_endpoint(endpoint_id, expected_version=expected_version)
        secrets = EndpointSecret.objects.filter(endpoint_id=endpoint.id)
        secrets.filter(expires_at__isnull=False).delete()
        until = now + timedelta(seconds=grace_seconds)
        secrets.filter(expires_at=None).update(expires_at=until)
        secret = create_secret(endpoint, now=now)
        save(endpoint, [], now)
        changes = {"old_one_valid_until": [None, until]}
        tell(events.ENDPOINT_SECRET_ROTATED, endpoint, changes, actor, now)
    return endpoint, secret


def forget_secrets(*, now: datetime, after: UUID | None = None, limit: int = BATCH) -> tuple[int, UUID | None]:
    """Delete up to `limit` secrets whose grace is over.

    Returns how many, and where the next call goes on (None: that was all). Those of a tenant that is switched to
    read-only stay; they sign nothing.
    """
    with system_scope():
        over = EndpointSecret.objects.filter(expires_at__lte=now).order_by("id")
        if after is not None:
            over = over.filter(id__gt=after)
        batch = list(over.values_list("id", "tenant_id")[:limit])
    forgotten = sum(_forget(secret_id, tenant_id, now) for secret_id, tenant_id in batch)
    return forgotten, batch[-1][0] if len(batch) == limit else None


def _forget(secret_id: UUID, tenant_id: UUID, now: datetime) -> bool:
    try:
        with write_scope(system_actor("secret-expiry", tenant_id=tenant_id)):
            # A rotation may have given it another end meanwhile.
            deleted, _by_model = EndpointSecret.objects.filter(id=secret_id, expires_at__lte=now).delete()
    except ReadOnly:
        return False
    return deleted == 1


def reseal_secret(sealed: Row, now: datetime) -> bool:
    """Put a secret under the installation's current key; see `SealedTable.reseal`."""
    actor = system_actor("key-rotation", tenant_id=sealed.tenant_id)
    try:
        with write_scope(actor):
            secret = EndpointSecret.objects.select_for_update().filter(id=sealed.id).first()
            if secret is None:
                return False  # it was rotated away in between
            _reseal(secret, actor, now)
    except (crypto.DecryptionFailed, ReadOnly) as error:
        logger.warning("webhook_secret.not_resealed", extra={"row": str(sealed.id), "error": type(error).__name__})
        return False
    return True


def _reseal(secret: EndpointSecret, actor: Actor, now: datetime) -> None:
    owner = {"tenant_id": secret.tenant_id, "endpoint_id": secret.endpoint_id}
    before = secret.key_id
    key = signing.open_sealed(secret.ciphertext, **owner)
    secret.ciphertext, secret.key_id = signing.seal(key, **owner)
    secret.save(update_fields=["ciphertext", "key_id"])
    audit.record(
        action=events.SECRET_RESEALED,
        actor=actor,
        target_type="webhook_endpoint",
        target_id=secret.endpoint_id,
        now=now,
        changes={"key_id": [before, secret.key_id]},
    )


WEBHOOK_SECRETS = SealedTable(
    "webhook secrets",
    "webhooks_endpointsecret",
    reseal_secret,
    bound_to="concat('webhooks_endpointsecret:', tenant_id, ':', endpoint_id)",
)
