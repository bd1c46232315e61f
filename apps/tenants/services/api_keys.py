"""Creating, rolling and revoking API keys."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network
from uuid import UUID

from django.utils.translation import gettext as _

from apps.audit.types import Personal
from apps.core.actor import Actor
from apps.core.db.finding import get_one
from apps.core.scope import current_tenant_id, write_scope
from apps.core.tokens import hash_token
from apps.tenants import events, secrets
from apps.tenants.enums import ApiKeyMode, Meter
from apps.tenants.errors import (
    ApiKeyExceedsCreator,
    ApiKeyNotActive,
    ApiKeyReplaced,
    ExpiryInThePast,
    InvalidNetwork,
    UnknownScope,
)
from apps.tenants.models import ApiKey
from apps.tenants.roles import ALL_PERMISSIONS
from apps.tenants.services.authority import authority_of
from apps.tenants.services.plans import require_room
from apps.tenants.services.telling import tell

_TOLD = ("name", "mode", "scopes", "allowed_networks", "expires_at")
# People name keys after people and machines, and say where these are.
_PERSONAL = {"name", "allowed_networks"}


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key together with its secret, which is never readable again."""

    key: ApiKey
    secret: str


def create_api_key(
    *,
    name: str,
    mode: ApiKeyMode,
    scopes: Collection[str],
    allowed_networks: Collection[str] = (),
    expires_at: datetime | None = None,
    actor: Actor,
    now: datetime,
) -> NewApiKey:
    """Create an API key of the actor's tenant that can do no more than the actor.

    Raises:
        UnknownScope, InvalidNetwork, ExpiryInThePast, ApiKeyExceedsCreator, LimitReached: see the classes.
    """
    key = ApiKey(
        name=name,
        mode=mode,
        scopes=_known_scopes(scopes),
        allowed_networks=_normal_networks(allowed_networks),
        expires_at=expires_at,
    )
    if expires_at is not None and expires_at <= now:
        raise ExpiryInThePast
    with write_scope(actor):
        require_room(Meter.API_KEYS, now=now)
        return _add(key, actor, now)


def roll_api_key(
    *, api_key_id: UUID, overlap_seconds: int, expected_version: int | None = None, actor: Actor, now: datetime
) -> NewApiKey:
    """Replace an API key by one with the same name, mode, scopes, networks and expiry, and a secret of its own.

    The old key works for `overlap_seconds` yet, never longer than it would have anyway. The overlap before that ends:
    a key has two secrets that work at most, or rolling on and on would make any number of them.

    Raises:
        NotFound: the tenant has no such key.
        VersionConflict: it has another version than expected.
        ApiKeyNotActive, ApiKeyReplaced, ApiKeyExceedsCreator: see the classes.
    """
    with write_scope(actor):
        old = _locked(api_key_id, expected_version=expected_version)
        if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
            raise ApiKeyNotActive
        if old.replaced_by is not None:
            raise ApiKeyReplaced
        for older in ApiKey.objects.select_for_update().filter(replaced_by=old.id, revoked_at=None):
            _revoke(older, actor, now)
        same = {field: getattr(old, field) for field in _TOLD}
        created = _add(ApiKey(**same), actor, now)
        end = now + timedelta(seconds=overlap_seconds)
        before, old.expires_at = old.expires_at, min(old.expires_at or end, end)
        old.replaced_by = created.key.id
        old.save_next("expires_at", "replaced_by", now=now)
        changes = {"expires_at": [before, old.expires_at], "replaced_by": [None, str(created.key.id)]}
        tell(events.api_key_event(events.API_KEY_ROLLED, old), changes, actor, now)
    return created


def revoke_api_key(*, api_key_id: UUID, actor: Actor, now: datetime) -> ApiKey:
    """Refuse an API key from now on, also while writing is switched off; a revoked key stays as it is.

    Raises:
        NotFound: the tenant has no such key.
    """
    with write_scope(actor, even_if_read_only=True):
        key = _locked(api_key_id)
        if key.revoked_at is None:
            _revoke(key, actor, now)
    return key


def _revoke(key: ApiKey, actor: Actor, now: datetime) -> None:
    key.revoked_at = now
    key.save_next("revoked_at", now=now)
    tell(events.api_key_event(events.API_KEY_REVOKED, key), {"revoked_at": [None, now]}, actor, now)


def _add(key: ApiKey, actor: Actor, now: datetime) -> NewApiKey:
    """Store a key, with a new secret, unless it can do more than the actor; and tell of it."""
    secret = secrets.new_secret(ApiKeyMode(key.mode))
    key.tenant_id, key.created_by = current_tenant_id(), actor.label
    key.prefix, key.secret_hash = secrets.shown_prefix(secret), hash_token(secret)
    key.created_at = key.updated_at = now
    _require_within_creator(key, actor)
    key.save(force_insert=True)
    told = {field: [None, getattr(key, field)] for field in _TOLD}
    own = Personal(key.id, {field: told.pop(field) for field in _PERSONAL})
    tell(events.api_key_event(events.API_KEY_CREATED, key), told, actor, now, own)
    return NewApiKey(key, secret)


def _locked(api_key_id: UUID, *, expected_version: int | None = None) -> ApiKey:
    key = get_one(ApiKey.objects.select_for_update().filter(id=api_key_id))
    key.require_version(expected_version)
    return key


def _known_scopes(scopes: Collection[str]) -> list[str]:
    unknown = sorted(set(scopes) - ALL_PERMISSIONS)
    if unknown:
        raise UnknownScope(errors=[{"field": "scopes", "code": "unknown_scope", "message": scope} for scope in unknown])
    return sorted({str(scope) for scope in scopes})


def _normal_networks(networks: Collection[str]) -> list[str]:
    normal = []
    for network in networks:
        try:
            # PostgreSQL's inet knows no zones (fe80::%eth0), and a zone of the caller's means nothing here.
            if "%" in network:
                raise ValueError(_("A network has no zone."))
            normal.append(str(ip_network(network)))
        except ValueError as error:
            message = {"field": "allowed_networks", "code": "invalid_network", "message": str(error)}
            raise InvalidNetwork(errors=[message]) from error
    return normal


def _require_within_creator(key: ApiKey, actor: Actor) -> None:
    """Hold a new key to its creator's permissions and, if that is a key, to that key's limits."""
    if actor.api_key_id is not None:
        _require_within_limits(key, ApiKey.objects.get(id=actor.api_key_id))
    # A key knows no conditions: what its creator holds under one, it does not get.
    excess = authority_of(actor).lacks(key.scopes, {})
    if excess:
        raise ApiKeyExceedsCreator(_("You do not have: %(scopes)s") % {"scopes": ", ".join(excess)})


def _require_within_limits(key: ApiKey, creator: ApiKey) -> None:
    if creator.mode == ApiKeyMode.TEST and key.mode != ApiKeyMode.TEST:
        raise ApiKeyExceedsCreator(_("A test key creates test keys only."))
    if creator.expires_at is not None and (key.expires_at is None or key.expires_at > creator.expires_at):
        raise ApiKeyExceedsCreator(_("The key would expire later than the key that creates it."))
    if creator.allowed_networks and not _all_within(key.allowed_networks, creator.allowed_networks):
        raise ApiKeyExceedsCreator(_("The key would be allowed from more networks than the key that creates it."))


def _all_within(networks: list[str], allowed: list[str]) -> bool:
    outer = [ip_network(network) for network in allowed]
    inner = [ip_network(network) for network in networks]
    return bool(inner) and all(
        any(one.version == other.version and one.subnet_of(other) for other in outer)  # type: ignore[arg-type]
        for one in inner
    )
