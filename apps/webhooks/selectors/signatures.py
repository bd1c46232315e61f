"""Checks a request that a client has received against what its endpoint is signed with, and what it was sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from apps.core import crypto
from apps.webhooks import diagnosis, signing
from apps.webhooks.diagnosis import Key, Sample, Step
from apps.webhooks.enums import Signing
from apps.webhooks.models import Delivery, Endpoint, EndpointSecret
from apps.webhooks.types import SigningKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request as somebody has pasted it. Without a `secret` those of the endpoint are tried."""

    headers: Mapping[str, str]
    body: str
    secret: str = ""
    computed: str = ""


def check_signature(endpoint: Endpoint, received: Received, *, now: datetime) -> list[Step]:
    """Return what is right and what is wrong with a request to an endpoint, in the open scope; nothing is kept."""
    own = _own_keys(endpoint, now)
    keys, steps = (own, []) if not received.secret else _given_key(received.secret, own)
    sample = Sample(
        headers=received.headers,
        body=received.body.encode(),
        sent=_sent(endpoint, received.headers),
        computed=received.computed,
    )
    if steps and not keys:
        return steps  # without a key nothing can be said of the rest
    return [*steps, *diagnosis.diagnose(sample, keys, now=now)]


def _own_keys(endpoint: Endpoint, now: datetime) -> list[Key]:
    """Return the keys that sign for an endpoint now, the current one first."""
    signs = Q(expires_at=None) | Q(expires_at__gt=now)
    secrets = EndpointSecret.objects.filter(signs, tenant_id=endpoint.tenant_id, endpoint_id=endpoint.id)
    secrets = secrets.filter(kind__in=Signing.values)
    keys = []
    for secret in secrets.order_by("-created_at"):
        name = _("The current secret") if secret.expires_at is None else _("The secret before, in its grace,")
        try:
            key = signing.open_sealed(
                secret.ciphertext, tenant_id=endpoint.tenant_id, endpoint_id=endpoint.id, kind=secret.kind
            )
        except crypto.DecryptionFailed:
            continue  # then it signs nothing, either
        keys.append(Key(name, SigningKey(secret.kind, key)))
    return keys


def _given_key(secret: str, own: list[Key]) -> tuple[list[Key], list[Step]]:
    """Return the key that somebody has pasted: a secret, or the public key that its signatures are checked with."""
    public = secret.strip()
    if public.startswith(signing.PUBLIC_PREFIX):
        known = next((each for each in own if signing.public_key_of(each.key) == public), None)
        return ([known], [_is_own()]) if known else ([], [_is_another()])
    key, steps = diagnosis.parse_secret(secret)
    if key is None:
        return [], steps
    known = next((each for each in own if each.key == key), None)
    if known is None:
        return [Key(_("The secret that was pasted"), key)], [*steps, _is_another()]
    return [known], [*steps, _is_own()]


def _is_own() -> Step:
    return Step("secret_is_the_endpoints", "right", _("The secret is one of this endpoint's."))


def _is_another() -> Step:
    text = _("The secret is not one of this endpoint's: it belongs to another one, or its grace is over.")
    return Step("secret_is_another_one", "wrong", text)


def _sent(endpoint: Endpoint, headers: Mapping[str, str]) -> diagnosis.Sent:
    """Return the body that was sent under the request's id; None under an id that nothing was sent under."""
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message_id = UUID(given.get(signing.SIGNED_HEADERS[0], "").strip("\"' "))
    except ValueError:
        return None
    deliveries = Delivery.objects.filter(tenant_id=endpoint.tenant_id, endpoint_id=endpoint.id, id=message_id)
    body = deliveries.values_list("body", flat=True).first()
    return None if body is None else body.encode()
