"""The life of an endpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.utils.translation import gettext as _

from apps.core import egress
from apps.core.actor import Actor
from apps.core.scope import current_tenant_id, write_scope
from apps.core.unset import UNSET, Unset
from apps.outbox.catalogue import API_VERSIONS, NEWEST_API_VERSION
from apps.tenants.enums import Meter
from apps.tenants.services import require_room
from apps.webhooks import events, subscriptions
from apps.webhooks import signing as signatures
from apps.webhooks.enums import EndpointStatus, Signing
from apps.webhooks.errors import UnknownApiVersion, UnknownEventType, UrlRefused
from apps.webhooks.models import Endpoint
from apps.webhooks.services import queueing, secrets
from apps.webhooks.services.changing import tell
from apps.webhooks.services.failing import forget_failure
from apps.webhooks.services.headers import change_headers
from apps.webhooks.services.locking import locked_endpoint

_TOLD_OF_NEW = ("url", "event_types", "description", "header_names", "signing", "public_key", "api_version", "status")


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """An endpoint together with its secret, which is never readable again; empty where a public key is enough."""

    endpoint: Endpoint
    secret: str


def create_endpoint(
    *,
    url: str,
    event_types: Sequence[str] = (),
    description: str = "",
    headers: Mapping[str, str] | None = None,
    signing: str = Signing.SYMMETRIC,
    api_version: str = NEWEST_API_VERSION,
    actor: Actor,
    now: datetime,
) -> NewEndpoint:
    """Create an endpoint of the actor's tenant; it gets what is relayed from now on.

    The URL is checked by its looks. Where its name leads is checked at every send; an interface may tell early, by
    `egress.check_resolution`, outside of the transaction.

    Raises:
        UrlRefused, UnknownEventType, UnknownApiVersion, HeaderRefused: see the classes.
        LimitReached: the tenant has as many as its plan allows.
    """
    endpoint = Endpoint(
        url=_checked_url(url),
        event_types=_checked_types(event_types),
        description=description,
        signing=signing,
        api_version=_checked_version(api_version),
        created_at=now,
        updated_at=now,
    )
    with write_scope(actor):
        require_room(Meter.WEBHOOK_ENDPOINTS, now=now)
        endpoint.tenant_id = current_tenant_id()
        endpoint.require_valid_fields()
        secret = _save_new(endpoint, headers or {}, now)
        changes = {name: [None, getattr(endpoint, name)] for name in _TOLD_OF_NEW}
        tell(events.ENDPOINT_CREATED, endpoint, changes, actor, now)
    return NewEndpoint(endpoint, secret)


def update_endpoint(
    *,
    endpoint_id: UUID,
    url: str | Unset = UNSET,
    event_types: Sequence[str] | Unset = UNSET,
    description: str | Unset = UNSET,
    headers: Mapping[str, str | None] | Unset = UNSET,
    api_version: str | Unset = UNSET,
    status: str | Unset = UNSET,
    reason: str = "",
    expected_version: int | None = None,
    actor: Actor,
    now: datetime,
) -> Endpoint:
    """Change what is given; saying what is already so changes nothing and leaves no record.

    `reason`, why staff does it, is kept in the audit leaf. Of `headers` those named are set, or with None taken away.
    The others stay, unless the URL leads to another place: their values are for the old one alone.

    Deliveries that wait go to the new URL. Disabling discards them, and what happens meanwhile is not queued.
    Enabling begins with what is relayed from then on; `recover` brings back what was discarded.

    Raises:
        NotFound, VersionConflict: see `locked_endpoint`.
        UrlRefused, UnknownEventType, UnknownApiVersion, HeaderRefused: see the classes.
    """
    given: dict[str, Any] = {
        "url": url,
        "event_types": event_types,
        "description": description,
        "api_version": api_version,
        "status": status,
    }
    given = {name: value for name, value in given.items() if not isinstance(value, Unset)}
    if "url" in given:
        given["url"] = _checked_url(given["url"])
    if "event_types" in given:
        given["event_types"] = _checked_types(given["event_types"])
    if "api_version" in given:
        given["api_version"] = _checked_version(given["api_version"])
    with write_scope(actor):
        endpoint = locked_endpoint(endpoint_id, expected_version=expected_version)
        changes = {name: [getattr(endpoint, name), value] for name, value in given.items()}
        changes = {name: change for name, change in changes.items() if change[0] != change[1]}
        named = {} if isinstance(headers, Unset) else headers
        of_headers = _change_headers(endpoint, named, given.get("url", endpoint.url), now)
        if not (changes or of_headers):
            return endpoint
        for name, change in changes.items():
            setattr(endpoint, name, change[1])
        endpoint.require_valid_fields()
        columns = [*changes, "header_names"]
        if "status" in changes:
            columns += _switch(endpoint, actor, now)
        elif "url" in changes and endpoint.status == EndpointStatus.ENABLED:
            columns += forget_failure(endpoint, actor, now)
        endpoint.save_next(*columns, now=now)
        why = {"reason": [None, reason]} if reason else {}
        tell(events.ENDPOINT_UPDATED, endpoint, changes | of_headers | why, actor, now)
    return endpoint


def delete_endpoint(*, endpoint_id: UUID, expected_version: int | None = None, actor: Actor, now: datetime) -> None:
    """Send nothing more to an endpoint and destroy its secrets; its deliveries stay, the pending ones discarded.

    Raises:
        NotFound, VersionConflict: see `locked_endpoint`.
    """
    with write_scope(actor):
        endpoint = locked_endpoint(endpoint_id, expected_version=expected_version)
        changes = {"deleted_at": [None, now], "discarded": [None, queueing.discard_pending(endpoint.id, now=now)]}
        endpoint.status, endpoint.disabled_reason, endpoint.deleted_at = EndpointStatus.DISABLED, "", now
        secrets.destroy_secrets(endpoint)
        endpoint.header_names = []
        forgotten = forget_failure(endpoint, actor, now)
        endpoint.save_next("status", "disabled_reason", "deleted_at", "header_names", *forgotten, now=now)
        tell(events.ENDPOINT_DELETED, endpoint, changes, actor, now)


def url_refused(refusal: egress.EgressRefused) -> UrlRefused:
    """Return the error that tells a client why its URL is refused."""
    return UrlRefused(errors=[{"field": "url", "code": "url_refused", "message": str(refusal.message)}])


def _save_new(endpoint: Endpoint, headers: Mapping[str, str], now: datetime) -> str:
    """Store a new endpoint with its key and its headers; return its secret."""
    key = signatures.new_key(endpoint.signing)
    endpoint.public_key = signatures.public_key_of(key)
    endpoint.save(force_insert=True)
    secrets.store_key(endpoint, key, now=now)
    if change_headers(endpoint, headers, now=now):
        endpoint.save(update_fields=["header_names"])
    return signatures.shown(key)


def _place(url: str) -> tuple[str, str]:
    """Return the scheme, host and port of a URL: who gets what is sent there."""
    parts = urlsplit(url.lower())
    return parts.scheme, parts.netloc


def _change_headers(endpoint: Endpoint, named: Mapping[str, str | None], url: str, now: datetime) -> dict[str, Any]:
    """Change the headers named, and at another server take away the others; return the changes.

    Whoever may change the URL would else have the sealed values sent to a server of theirs.
    """
    if _place(url) != _place(endpoint.url):
        lowered = {name.lower() for name in named}
        named = {name: None for name in endpoint.header_names if name.lower() not in lowered} | dict(named)
    return change_headers(endpoint, named, now=now) if named else {}


def _switch(endpoint: Endpoint, actor: Actor, now: datetime) -> list[str]:
    """Do what follows from another status; return the columns that are to be stored with it."""
    endpoint.disabled_reason = ""
    if endpoint.status == EndpointStatus.DISABLED:
        queueing.discard_pending(endpoint.id, now=now)
    return ["disabled_reason", *forget_failure(endpoint, actor, now)]


def _checked_url(url: str) -> str:
    try:
        egress.check_url(url)
    except egress.EgressRefused as refusal:
        raise url_refused(refusal) from refusal
    return url


def _checked_types(event_types: Sequence[str]) -> list[str]:
    unknown = subscriptions.unknown_types(event_types)
    if unknown:
        raise UnknownEventType(
            errors=[{"field": "event_types", "code": "unknown_event_type", "message": name} for name in unknown]
        )
    return list(dict.fromkeys(event_types))


def _checked_version(api_version: str) -> str:
    if api_version not in API_VERSIONS:
        message = _("There are: %(versions)s.") % {"versions": ", ".join(API_VERSIONS)}
        raise UnknownApiVersion(errors=[{"field": "api_version", "code": "unknown_api_version", "message": message}])
    return api_version
