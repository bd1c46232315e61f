"""Open, acknowledge and resolve incidents. Each change leaves its leaf and its event; a repeat only counts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F

from apps.audit import services as audit
from apps.core.actor import Actor
from apps.core.db.finding import get_one
from apps.core.ids import new_id
from apps.core.redaction import redact, redact_text
from apps.core.scope import current_tenant_id, write_scope
from apps.incidents import events
from apps.incidents.enums import STANDING_STATES, IncidentState, Severity
from apps.incidents.errors import IncidentAlreadyResolved
from apps.incidents.models import Incident
from apps.outbox import services as outbox

_OPEN_TRIES = 5


def open_incident(
    *,
    kind: str,
    key: str,
    title: str,
    severity: str,
    target_type: str,
    target_id: UUID,
    detail: Mapping[str, Any],
    actor: Actor,
    now: datetime,
) -> Incident:
    """Open an incident, or count one more sighting of the standing one of this kind and key.

    A repeat refreshes title, detail and severity, and leaves an acknowledged incident acknowledged.
    `severity` is one of `Severity`. Secrets in `title` and `detail` are masked.
    """
    with write_scope(actor):
        seen = Incident(
            id=new_id(),
            tenant_id=current_tenant_id(),
            kind=kind,
            key=key,
            title=redact_text(title)[:200],
            severity=Severity(severity),
            target_type=target_type,
            target_id=target_id,
            detail=redact(detail),
            first_seen_at=now,
            last_seen_at=now,
            opened_by=actor.as_json(),
        )
        incident = _insert_or_count(seen)
        if incident.id == seen.id:
            changes = {name: [None, getattr(incident, name)] for name in ("state", "kind", "key", "severity")}
            _tell(events.OPENED, incident, changes, actor, now)
    return incident


def acknowledge_incident(*, incident_id: UUID, actor: Actor, now: datetime) -> Incident:
    """Say that someone is looking at it; a second acknowledgement changes nothing.

    Raises:
        NotFound: the actor's tenant has no such incident.
        IncidentAlreadyResolved: see the class.
    """
    with write_scope(actor):
        incident = _locked_standing(incident_id)
        if incident.state == IncidentState.OPEN:
            incident.state = IncidentState.ACKNOWLEDGED
            incident.acknowledged_by, incident.acknowledged_at = actor.as_json(), now
            incident.save(update_fields=["state", "acknowledged_by", "acknowledged_at"])
            changes = {"state": [IncidentState.OPEN, incident.state]}
            _tell(events.ACKNOWLEDGED, incident, changes, actor, now)
    return incident


def resolve_incident(*, kind: str, key: str, actor: Actor, now: datetime, reason: str = "") -> None:
    """Resolve the standing incident of this kind and key, if there is one: its trouble is over."""
    with write_scope(actor):
        standing = Incident.objects.filter(kind=kind, key=key, state__in=STANDING_STATES)
        incident = standing.select_for_update().first()
        if incident is not None:
            _resolve(incident, reason, actor, now)


def resolve_incident_by_id(*, incident_id: UUID, reason: str, actor: Actor, now: datetime) -> Incident:
    """Resolve one incident by hand, and keep what was done about it.

    Raises:
        NotFound: the actor's tenant has no such incident.
        IncidentAlreadyResolved: see the class.
    """
    with write_scope(actor):
        incident = _locked_standing(incident_id)
        _resolve(incident, reason, actor, now)
    return incident


def _locked_standing(incident_id: UUID) -> Incident:
    incident = get_one(Incident.objects.select_for_update().filter(id=incident_id))
    if incident.state == IncidentState.RESOLVED:
        raise IncidentAlreadyResolved
    return incident


def _resolve(incident: Incident, reason: str, actor: Actor, now: datetime) -> None:
    changes: dict[str, Any] = {"state": [incident.state, IncidentState.RESOLVED]}
    if reason:
        changes["reason"] = [None, reason]
    incident.state, incident.resolved_by, incident.resolved_at = IncidentState.RESOLVED, actor.as_json(), now
    incident.save(update_fields=["state", "resolved_by", "resolved_at"])
    _tell(events.RESOLVED, incident, changes, actor, now)


def _tell(what: str, incident: Incident, changes: Mapping[str, Any], actor: Actor, now: datetime) -> None:
    """Leave the leaf and the event of a change that was just made to the locked row."""
    audit.record(action=what, actor=actor, target_type="incident", target_id=incident.id, now=now, changes=changes)
    outbox.emit(events.incident_changed(what, incident), actor=actor, now=now)


def _insert_or_count(incident: Incident) -> Incident:
    standing = Incident.objects.filter(kind=incident.kind, key=incident.key, state__in=STANDING_STATES)
    for _attempt in range(_OPEN_TRIES):
        counted = standing.update(
            count=F("count") + 1,
            title=incident.title,
            detail=incident.detail,
            severity=incident.severity,
            last_seen_at=incident.last_seen_at,
        )
        if not counted:
            # ON CONFLICT DO NOTHING waits for a transaction that is opening the same incident right now.
            Incident.objects.bulk_create([incident], ignore_conflicts=True)
        found = standing.first()
        if found is not None and (counted or found.id == incident.id):
            return found
        # Another transaction opened it first, or resolved it in between: look again.
    raise RuntimeError(f"incident {incident.kind} {incident.key!r} could not be opened in {_OPEN_TRIES} tries")
