"""The life of an endpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.audit import services as audit
from apps.core import egress
from apps.core.actor import Actor
from apps.core.scope import current_tenant_id, write_scope
from apps.core.unset import UNSET, Unset
from apps.incidents import services as incidents
from apps.incidents.enums import Severity
from apps.outbox import services as outbox
from apps.tenants.enums import Meter
from apps.tenants.services import require_room
from apps.webhooks import catalogue, events
from apps.webhooks.enums import EndpointStatus
from apps.webhooks.errors import UnknownEventType, UrlRefused
from apps.webhooks.models import Endpoint
from apps.webhooks.services import queueing, secrets
from apps.webhooks.services.locking import locked_endpoint

# The incident that stands for an endpoint which the platform has disabled; its key is the endpoint's id.
DISABLED_INCIDENT = "webhook_endpoint.disabled"
# Why the platform disables an endpoint: it answered 410.
GONE = "gone"


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """An endpoint together with its secret, which is never readable again."""

    endpoint: Endpoint
    secret: str


def create_endpoint(
    *, url: str, event_types: Sequence[str] = (), description: str = "", actor: Actor, now: datetime
) -> NewEndpoint:
    """Create an endpoint of the actor's tenant; it gets what is relayed from now on.

    The URL is checked by its looks. Where its name leads is checked at every send; an interface may tell early, by
    `egress.check_resolution`, outside of the transaction.

    Raises:
        UrlRefused, UnknownEventType: see the classes.
        LimitReached: the tenant has as many as its plan allows.
    """
    endpoint = Endpoint(
        url=_checked_url(url),
        event_types=_checked_types(event_types),
        description=description,
        created_at=now,
        updated_at=now,
    )
    with write_scope(actor):
        require_room(Meter.WEBHOOK_ENDPOINTS, now=now)
        endpoint.tenant_id = current_tenant_id()
        endpoint.require_valid_fields()
        endpoint.save(force_insert=True)
        secret = secrets.create_secret(endpoint, now=now)
        changes = {name: [None, getattr(endpoint, name)] for name in ("url", "event_types", "description", "status")}
        _tell(events.ENDPOINT_CREATED, endpoint, changes, actor, now)
    return NewEndpoint(endpoint, secret)


def update_endpoint(
    *,
    endpoint_id: UUID,
    url: str | Unset = UNSET,
    event_types: Sequence[str] | Unset = UNSET,
    description: str | Unset = UNSET,
    status: str | Unset = UNSET,
    reason: str = "",
    expected_version: int | None = None,
    actor: Actor,
    now: datetime,
) -> Endpoint:
    """Change what is given; saying what is already so changes nothing and leaves no record.

    `reason`, why staff does it, is kept in the audit leaf.

    Deliveries that wait go to the new URL. Disabling discards them, and what happens meanwhile is not queued.
    Enabling begins with what is relayed from then on; `recover` brings back what was discarded.

    Raises:
        NotFound, VersionConflict: see `locked_endpoint`.
        UrlRefused, UnknownEventType: see the classes.
    """
    given: dict[str, Any] = {"url": url, "event_types": event_types, "description": description, "status": status}
    given = {name: value for name, value in given.items() if not isinstance(value, Unset)}
    if "url" in given:
        given["url"] = _checked_url(given["url"])
    if "event_types" in given:
        given["event_types"] = _checked_types(given["event_types"])
    with write_scope(actor):
        endpoint = locked_endpoint(endpoint_id, expected_version=expected_version)
        changes = {name: [getattr(endpoint, name), value] for name, value in given.items()}
        changes = {name: change for name, change in changes.items() if change[0] != change[1]}
        if not changes:
            return endpoint
        for name, change in changes.items():
            setattr(endpoint, name, change[1])
        endpoint.require_valid_fields()
        if "status" in changes:
            _switch(endpoint, actor, now)
        _save(endpoint, [*changes, "disabled_reason"], now)
        why = {"reason": [None, reason]} if reason else {}
        _tell(events.ENDPOINT_UPDATED, endpoint, changes | why, actor, now)
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
        _resolve_incident(endpoint, actor, now)
        _save(endpoint, ["status", "disabled_reason", "deleted_at"], now)
        _tell(events.ENDPOINT_DELETED, endpoint, changes, actor, now)


def disable_gone_endpoint(*, endpoint_id: UUID, actor: Actor, now: datetime) -> None:
    """Disable an endpoint that answered 410, discard what waits for it and open an incident; twice is once.

    Also while writing is switched off, since sending goes on then: a receiver that is gone must not be asked again.
    """
    with write_scope(actor, even_if_read_only=True):
        rows = Endpoint.objects.select_for_update(no_key=True)
        endpoint = rows.filter(id=endpoint_id, status=EndpointStatus.ENABLED).first()
        if endpoint is None:
            return
        discarded = queueing.discard_pending(endpoint.id, now=now)
        endpoint.status, endpoint.disabled_reason = EndpointStatus.DISABLED, GONE
        _save(endpoint, ["status", "disabled_reason"], now)
        changes = {
            "status": [EndpointStatus.ENABLED, EndpointStatus.DISABLED],
            "disabled_reason": ["", GONE],
            "discarded": [None, discarded],
        }
        _tell(events.ENDPOINT_DISABLED, endpoint, changes, actor, now)
        incidents.open_incident(
            kind=DISABLED_INCIDENT,
            key=str(endpoint.id),
            title=_("A webhook endpoint is gone and was disabled: %(url)s") % {"url": endpoint.url},
            severity=Severity.WARNING,
            target_type="webhook_endpoint",
            target_id=endpoint.id,
            detail={"url": endpoint.url, "reason": GONE, "discarded": discarded},
            actor=actor,
            now=now,
        )


def url_refused(refusal: egress.EgressRefused) -> UrlRefused:
    """Return the error that tells a client why its URL is refused."""
    return UrlRefused(errors=[{"field": "url", "code": "url_refused", "message": str(refusal.message)}])


def _switch(endpoint: Endpoint, actor: Actor, now: datetime) -> None:
    endpoint.disabled_reason = ""
    if endpoint.status == EndpointStatus.DISABLED:
        queueing.discard_pending(endpoint.id, now=now)
    else:
        _resolve_incident(endpoint, actor, now)


def _resolve_incident(endpoint: Endpoint, actor: Actor, now: datetime) -> None:
    incidents.resolve_incident(kind=DISABLED_INCIDENT, key=str(endpoint.id), actor=actor, now=now)


def _save(endpoint: Endpoint, fields: list[str], now: datetime) -> None:
    endpoint.version, endpoint.updated_at = endpoint.version + 1, now
    endpoint.save(update_fields=[*fields, "version", "updated_at"])


def _tell(what: str, endpoint: Endpoint, changes: Mapping[str, Any], actor: Actor, now: datetime) -> None:
    audit.record(
        action=what, actor=actor, target_type="webhook_endpoint", target_id=endpoint.id, now=now, changes=changes
    )
    outbox.emit(events.endpoint_event(what, endpoint), actor=actor, now=now)


def _checked_url(url: str) -> str:
    try:
        egress.check_url(url)
    except egress.EgressRefused as refusal:
        raise url_refused(refusal) from refusal
    return url


def _checked_types(event_types: Sequence[str]) -> list[str]:
    unknown = catalogue.unknown_types(event_types)
    if unknown:
        raise UnknownEventType(
            errors=[{"field": "event_types", "code": "unknown_event_type", "message": name} for name in unknown]
        )
    return list(dict.fromkeys(event_types))
