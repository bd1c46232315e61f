"""The secrets of endpoints: made, rotated, destroyed, and kept under the installation's current key."""

import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from apps.core import crypto
from apps.core.actor import Actor, system_actor
from apps.core.errors import ReadOnly
from apps.core.scope import system_scope, write_scope
from apps.core.seals import Row, SealedTable
from apps.webhooks import events
from apps.webhooks import signing as sealing
from apps.webhooks.enums import SecretKind
from apps.webhooks.models import Endpoint, EndpointSecret
from apps.webhooks.services.changing import record, tell
from apps.webhooks.services.locking import locked_endpoint
from apps.webhooks.types import SigningKey

logger = logging.getLogger(__name__)

LONGEST_GRACE_SECONDS = 7 * 24 * 3600
BATCH = 200


def store_key(endpoint: Endpoint, key: SigningKey, *, now: datetime) -> None:
    """Seal a key as the current one of an endpoint, whose row is there."""
    owner: dict[str, Any] = {"tenant_id": endpoint.tenant_id, "endpoint_id": endpoint.id, "kind": key.kind}
    ciphertext, key_id = sealing.seal(key.key, **owner)
    EndpointSecret(**owner, ciphertext=ciphertext, key_id=key_id, created_at=now).save(force_insert=True)


def destroy_secrets(endpoint: Endpoint) -> None:
    """Delete an endpoint's secrets."""
    EndpointSecret.objects.filter(endpoint_id=endpoint.id).delete()


def rotate_secret(
    *,
    endpoint_id: UUID,
    grace_seconds: int = 0,
    signing: str | None = None,
    expected_version: int | None = None,
    actor: Actor,
    now: datetime,
) -> tuple[Endpoint, str]:
    """Give an endpoint a new key; return it with its secret; empty if there is none to share.

    For `grace_seconds` requests are signed with the old key, too. A grace that was still running ends: at most two keys
    sign. `signing` may change the way of signing, if given; both are sent during the grace.

    Raises:
        NotFound, VersionConflict: see `locked_endpoint`.
    """
    with write_scope(actor):
        endpoint = locked_endpoint(endpoint_id, expected_version=expected_version)
        secrets = EndpointSecret.objects.filter(endpoint_id=endpoint.id).exclude(kind=SecretKind.HEADERS)
        secrets.filter(expires_at__isnull=False).delete()
        until = now + timedelta(seconds=grace_seconds)
        secrets.filter(expires_at=None).update(expires_at=until)
        before = {"signing": endpoint.signing, "public_key": endpoint.public_key}
        endpoint.signing = signing or endpoint.signing
        endpoint.require_valid_fields()
        key = sealing.new_key(endpoint.signing)
        endpoint.public_key = sealing.public_key_of(key)
        store_key(endpoint, key, now=now)
        endpoint.save_next("signing", "public_key", now=now)
        changes: dict[str, Any] = {"old_one_valid_until": [None, until]}
        changes |= {
            name: [old, getattr(endpoint, name)] for name, old in before.items() if getattr(endpoint, name) != old
        }
        tell(events.ENDPOINT_SECRET_ROTATED, endpoint, changes, actor, now)
    return endpoint, sealing.shown(key)


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
    owner: dict[str, Any] = {"tenant_id": secret.tenant_id, "endpoint_id": secret.endpoint_id, "kind": secret.kind}
    before = secret.key_id
    value = sealing.open_sealed(secret.ciphertext, **owner)
    secret.ciphertext, secret.key_id = sealing.seal(value, **owner)
    secret.save(update_fields=["ciphertext", "key_id"])
    record(events.SECRET_RESEALED, secret.endpoint_id, {"key_id": [before, secret.key_id]}, actor, now)


WEBHOOK_SECRETS = SealedTable(
    "webhook secrets",
    "webhooks_endpointsecret",
    reseal_secret,
    bound_to="concat('webhooks_endpointsecret:', tenant_id, ':', endpoint_id, ':', kind)",
)
