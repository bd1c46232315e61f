"""Endpoints that fail: their owners are told, three times, before they are given up; and when they are well again."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from apps.core.actor import Actor, system_actor
from apps.core.scope import system_scope, write_scope
from apps.incidents import services as incidents
from apps.incidents.enums import Severity
from apps.jobs import services as jobs
from apps.tenants import selectors as tenants
from apps.tenants.enums import Role
from apps.webhooks import events
from apps.webhooks.enums import DISABLED_AS_FAILING, DISABLED_AS_GONE, EndpointStatus
from apps.webhooks.models import DeliveryAttempt, Endpoint
from apps.webhooks.patience import NOTICES_AFTER, Step, earliest_end, next_step
from apps.webhooks.services import queueing
from apps.webhooks.services.changing import tell
from apps.webhooks.types import SEND_NOTICE

BATCH = 200
# What happens to an endpoint that was given up is kept for this long, so that coming back misses nothing.
HELD_FOR = timedelta(days=30)


class Watched(NamedTuple):
    """An endpoint that fails, or whose owners were told that it does."""

    id: UUID
    tenant_id: UUID


def watched_endpoints(limit: int = BATCH) -> Iterator[Watched]:
    """Yield the endpoints of all tenants that may need a step, `limit` read at once."""
    after = UUID(int=0)
    while True:
        with system_scope():
            rows = Endpoint.objects.filter(Q(failing_since__isnull=False) | Q(noticed_at__isnull=False))
            batch = list(rows.filter(id__gt=after).order_by("id").values_list("id", "tenant_id")[:limit])
        yield from (Watched(*row) for row in batch)
        if len(batch) < limit:
            return
        after = batch[-1][0]


def look_after(watched: Watched, *, now: datetime) -> Step | None:
    """Give the notice that is due, or give the endpoint up; resolve the incident of one that is well again.

    Doing so twice is once. Also while writing is switched off: sending goes on then, and owners need to know.
    """
    actor = system_actor("webhooks", tenant_id=watched.tenant_id)
    with write_scope(actor, even_if_read_only=True):
        rows = Endpoint.objects.select_for_update(no_key=True)
        endpoint = rows.filter(id=watched.id, status=EndpointStatus.ENABLED).first()
        if endpoint is None:
            return None
        if endpoint.failing_since is None:
            _end_notices(endpoint, actor, now)
            return None
        step = _step_of(endpoint, endpoint.failing_since, now)
        if step is Step.NOTICE:
            _give_notice(endpoint, endpoint.failing_since, actor, now)
        elif step is Step.DISABLE:
            _disable(endpoint, DISABLED_AS_FAILING, actor, now, held_until=now + HELD_FOR)
    return step


def disable_gone_endpoint(*, endpoint_id: UUID, url: str, actor: Actor, now: datetime) -> None:
    """Disable an endpoint that answered 410, discard what waits for it and open an incident; twice is once.

    One that has another URL than the one that answered is left alone. Also while writing is switched off, since sending
    goes on then: a receiver that is gone must not be asked again.
    """
    with write_scope(actor, even_if_read_only=True):
        rows = Endpoint.objects.select_for_update(no_key=True)
        endpoint = rows.filter(id=endpoint_id, url=url, status=EndpointStatus.ENABLED).first()
        if endpoint is not None:
            _disable(endpoint, DISABLED_AS_GONE, actor, now, held_until=None)


def forget_failure(endpoint: Endpoint, actor: Actor, now: datetime) -> list[str]:
    """Begin anew with an endpoint that a person has changed; return the columns that are to be stored."""
    endpoint.failing_since, endpoint.notices, endpoint.noticed_at, endpoint.held_until = None, 0, None, None
    for kind in (events.FAILING_INCIDENT, events.DISABLED_INCIDENT):
        incidents.resolve_incident(kind=kind, key=str(endpoint.id), actor=actor, now=now)
    return ["failing_since", "notices", "noticed_at", "held_until"]


def _step_of(endpoint: Endpoint, failing_since: datetime, now: datetime) -> Step | None:
    attempts = DeliveryAttempt.objects.filter(tenant_id=endpoint.tenant_id, endpoint_id=endpoint.id)
    latest = attempts.filter(at__gte=failing_since).order_by("-at").values_list("at", flat=True).first()
    return next_step(
        failing_since=failing_since,
        last_failed_at=latest or failing_since,
        notices=endpoint.notices,
        noticed_at=endpoint.noticed_at,
        now=now,
    )


def _end_notices(endpoint: Endpoint, actor: Actor, now: datetime) -> None:
    if endpoint.noticed_at is None:
        return
    endpoint.notices, endpoint.noticed_at = 0, None
    endpoint.save(update_fields=["notices", "noticed_at"])
    incidents.resolve_incident(kind=events.FAILING_INCIDENT, key=str(endpoint.id), actor=actor, now=now)


def _give_notice(endpoint: Endpoint, failing_since: datetime, actor: Actor, now: datetime) -> None:
    endpoint.notices, endpoint.noticed_at = endpoint.notices + 1, now
    endpoint.save(update_fields=["notices", "noticed_at"])
    end = earliest_end(failing_since=failing_since, notices=endpoint.notices, noticed_at=now)
    told = {"notice": endpoint.notices, "disabled_from": end}
    tell(events.ENDPOINT_FAILING, endpoint, {name: [None, value] for name, value in told.items()}, actor, now, told)
    title = _("A webhook endpoint has been failing: %(url)s")
    is_last = endpoint.notices == len(NOTICES_AFTER)
    detail = {"url": endpoint.url, "failing_since": failing_since.isoformat(), "disabled_from": end.isoformat()}
    _open_incident(
        events.FAILING_INCIDENT, title, Severity.CRITICAL if is_last else Severity.WARNING, endpoint, detail, actor, now
    )
    _write_letters(endpoint, told | {"failing_since": failing_since}, actor, now)


def _disable(endpoint: Endpoint, reason: str, actor: Actor, now: datetime, *, held_until: datetime | None) -> None:
    discarded = queueing.discard_pending(endpoint.id, now=now)
    endpoint.status, endpoint.disabled_reason = EndpointStatus.DISABLED, reason
    endpoint.held_until, endpoint.noticed_at, endpoint.notices = held_until, None, 0
    endpoint.save_next("status", "disabled_reason", "held_until", "noticed_at", "notices", now=now)
    changes = {
        "status": [EndpointStatus.ENABLED, EndpointStatus.DISABLED],
        "disabled_reason": ["", reason],
        "discarded": [None, discarded],
    }
    tell(events.ENDPOINT_DISABLED, endpoint, changes, actor, now)
    incidents.resolve_incident(kind=events.FAILING_INCIDENT, key=str(endpoint.id), actor=actor, now=now)
    title = (
        _("A webhook endpoint is gone and was disabled: %(url)s")
        if reason == DISABLED_AS_GONE
        else _("A webhook endpoint has failed for days and was disabled: %(url)s")
    )
    detail = {"url": endpoint.url, "reason": reason, "discarded": discarded}
    _open_incident(events.DISABLED_INCIDENT, title, Severity.WARNING, endpoint, detail, actor, now)
    _write_letters(endpoint, {"reason": reason, "failing_since": endpoint.failing_since}, actor, now)


def _open_incident(
    kind: str,
    title: str,
    severity: Severity,
    endpoint: Endpoint,
    detail: Mapping[str, Any],
    actor: Actor,
    now: datetime,
) -> None:
    incidents.open_incident(
        kind=kind,
        key=str(endpoint.id),
        title=title % {"url": endpoint.url},
        severity=severity,
        target_type="webhook_endpoint",
        target_id=endpoint.id,
        detail=detail,
        actor=actor,
        now=now,
    )


def _write_letters(endpoint: Endpoint, told: Mapping[str, Any], actor: Actor, now: datetime) -> None:
    """Have a letter sent to each owner and admin of the tenant: one job each, so that nobody gets one twice."""
    owners = tenants.members().filter(role__in=(Role.OWNER, Role.ADMIN)).exclude(email="")
    for member_id in owners.order_by("id").values_list("id", flat=True):
        payload = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in told.items()}
        payload |= {"endpoint_id": str(endpoint.id), "member_id": str(member_id)}
        jobs.enqueue(kind=SEND_NOTICE, payload=payload, actor=actor, now=now)
