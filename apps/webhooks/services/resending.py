"""Sending many deliveries again: those named, or those lost that match a filter."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count

from apps.core.actor import Actor
from apps.core.db.finding import get_one
from apps.core.errors import NotFound
from apps.core.scope import current_tenant_id, request_wake, write_scope
from apps.webhooks import events
from apps.webhooks.enums import LOST_STATUSES, EndpointStatus
from apps.webhooks.errors import EndpointDisabled
from apps.webhooks.models import Delivery, Endpoint
from apps.webhooks.services import queueing
from apps.webhooks.services.changing import record

MOST_IDS = 200
# One transaction's share of a filter; whoever has more calls again.
MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class LostFilter:
    """Which of the deliveries that failed or were discarded: an absent part matches all; `until` is not included."""

    endpoint_id: UUID | None = None
    status: str | None = None
    event_type: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def lookups(self) -> dict[str, Any]:
        """Return the filter as Django's lookups."""
        given = {
            "endpoint_id": self.endpoint_id,
            "event_type": self.event_type,
            "created_at__gte": self.since,
            "created_at__lt": self.until,
        }
        statuses = (self.status,) if self.status else LOST_STATUSES
        return {"status__in": statuses} | {name: value for name, value in given.items() if value is not None}

    def told(self) -> dict[str, Any]:
        """Return the parts that are given, as the audit log tells them."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Resent:
    """How many were queued again, and whether more match the filter."""

    queued_again: int
    has_more: bool = False


def retry_deliveries(*, ids: Sequence[UUID], actor: Actor, now: datetime) -> Resent:
    """Send up to 200 deliveries now, whatever became of each, as `retry_delivery` does one; all of them or none.

    Raises:
        NotFound: the actor's tenant has not all of them, or an endpoint of theirs was deleted.
        EndpointDisabled: see the class.
    """
    chosen = list(dict.fromkeys(ids))
    with write_scope(actor):
        places = dict(Delivery.objects.filter(id__in=chosen).values_list("id", "endpoint_id"))
        endpoints = _locked(set(places.values()))
        if len(places) < len(chosen) or any(endpoint.deleted_at is not None for endpoint in endpoints):
            raise NotFound
        if any(endpoint.status != EndpointStatus.ENABLED for endpoint in endpoints):
            raise EndpointDisabled
        _queue(chosen, None, actor, now)
    return Resent(len(chosen))


def retry_lost(*, lost: LostFilter, actor: Actor, now: datetime) -> Resent:
    """Send again up to 500 deliveries that failed or were discarded, each endpoint's oldest first.

    Those of endpoints that are disabled stay as they are. Asked again, the next have their turn: what is waiting or has
    arrived meanwhile matches no more.

    Raises:
        NotFound, EndpointDisabled: of the endpoint that the filter names.
    """
    with write_scope(actor):
        endpoints = Endpoint.objects.filter(tenant_id=current_tenant_id(), deleted_at=None)
        if lost.endpoint_id is not None:
            named = get_one(endpoints.filter(id=lost.endpoint_id))
            if named.status != EndpointStatus.ENABLED:
                raise EndpointDisabled
        enabled = list(endpoints.filter(status=EndpointStatus.ENABLED).values_list("id", flat=True))
        rows = Delivery.objects.filter(tenant_id=current_tenant_id(), endpoint_id__in=enabled).filter(**lost.lookups())
        found = list(rows.order_by("endpoint_id", "sequence").values_list("id", "endpoint_id")[: MOST_AT_ONCE + 1])
        places = dict(found[:MOST_AT_ONCE])
        held = {endpoint.id for endpoint in _locked(set(places.values())) if endpoint.status == EndpointStatus.ENABLED}
        chosen = [delivery_id for delivery_id, endpoint_id in places.items() if endpoint_id in held]
        _queue(chosen, lost.told(), actor, now)
    return Resent(len(chosen), len(found) > MOST_AT_ONCE)


def _locked(endpoint_ids: set[UUID]) -> list[Endpoint]:
    """Lock endpoints by id, as everyone locks them who locks several."""
    return list(Endpoint.objects.filter(id__in=endpoint_ids).order_by("id").select_for_update(no_key=True))


def _queue(chosen: Sequence[UUID], asked: Mapping[str, Any] | None, actor: Actor, now: datetime) -> None:
    """Queue deliveries of locked endpoints again; each endpoint's leaf tells how many, by what filter, or which."""
    deliveries = Delivery.objects.filter(id__in=chosen)
    counts = deliveries.values_list("endpoint_id").annotate(Count("id")).order_by("endpoint_id")
    for endpoint_id, count in counts:
        of_it = deliveries.filter(endpoint_id=endpoint_id).order_by("sequence").values_list("id", flat=True)
        changes = {"retried": [None, count], "asked_for": [None, list(of_it) if asked is None else asked]}
        record(events.DELIVERIES_RETRIED, endpoint_id, changes, actor, now)
    queueing.queue_again(deliveries, now=now)
    request_wake("webhooks")
