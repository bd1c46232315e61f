"""Deliveries of the last day, what waits now, and the endpoints that do not take them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from apps.backoffice.selectors.hours import counts_by_hour, day_of
from apps.core.db.counting import count_and_oldest, count_bounded
from apps.core.ids import lowest_id
from apps.webhooks.enums import DeliveryStatus
from apps.webhooks.models import Delivery, DeliveryAttempt, Endpoint
from apps.webhooks.selectors import are_due
from apps.webhooks.selectors.records import Attempts, records_of

_TIMED, _ENDPOINTS = 500, 5


@dataclass(frozen=True, slots=True)
class FailingEndpoint:
    """An endpoint with deliveries of the last day that it has not taken, and what has failed in a row."""

    endpoint: Endpoint
    failed: int
    retrying: int
    in_a_row: int


@dataclass(frozen=True, slots=True)
class Webhooks:
    """How deliveries fare. `hours` are counts by status; `arrivals` are the newest deliveries' times from the relay.

    `attempts` are those of the last day, to every endpoint, so that what fails shows before it is given up.
    """

    hours: Sequence[tuple[datetime, Mapping[str, int]]]
    statuses: Mapping[str, int]
    attempts: Attempts
    arrivals: Sequence[timedelta]
    pending: int
    due: int
    oldest_due: timedelta
    failing: Sequence[FailingEndpoint]
    disabled: Sequence[Endpoint]
    endpoints: int

    @property
    def rows(self) -> list[Any]:
        """Return what belongs to a tenant that is named."""
        return [*(item.endpoint for item in self.failing), *self.disabled]


def webhooks(*, now: datetime) -> Webhooks:
    """Return how deliveries fare; call it in a staff scope."""
    hours = day_of(now)
    today = Delivery.objects.filter(id__gte=lowest_id(hours[0]))
    due, oldest = count_and_oldest(Delivery.objects.filter(are_due(now)), "next_attempt_at")
    by_hour, statuses = counts_by_hour(today, hours)
    live = Endpoint.objects.filter(deleted_at=None)
    return Webhooks(
        hours=by_hour,
        statuses=statuses,
        attempts=_attempts(lowest_id(hours[0])),
        arrivals=_arrivals(today),
        pending=count_bounded(Delivery.objects.filter(status=DeliveryStatus.PENDING)),
        due=due,
        oldest_due=now - (oldest or now),
        failing=_failing(today, now),
        # Those that a person has disabled have no reason stored.
        disabled=list(live.exclude(disabled_reason="").order_by("-updated_at")[:_ENDPOINTS]),
        endpoints=live.count(),
    )


def _attempts(since: UUID) -> Attempts:
    counts = DeliveryAttempt.objects.filter(id__gte=since).aggregate(
        delivered=Count("id", filter=Q(error="")), failed=Count("id", filter=~Q(error=""))
    )
    return Attempts(**counts)


def _arrivals(today: "QuerySet[Delivery]") -> list[timedelta]:
    arrived = today.filter(status=DeliveryStatus.SUCCEEDED).order_by("-id").values_list("created_at", "finished_at")
    return [finished - created for created, finished in arrived[:_TIMED] if finished is not None]


def _failing(today: "QuerySet[Delivery]", now: datetime) -> list[FailingEndpoint]:
    troubled = today.filter(
        Q(status=DeliveryStatus.FAILED) | Q(status=DeliveryStatus.PENDING, attempt_count__gt=0),
        endpoint__deleted_at=None,
    )
    rows = list(
        troubled.values("endpoint_id")
        .annotate(
            failed=Count("id", filter=Q(status=DeliveryStatus.FAILED)),
            retrying=Count("id", filter=Q(status=DeliveryStatus.PENDING)),
        )
        .order_by("-failed", "-retrying", "endpoint_id")[:_ENDPOINTS]
    )
    endpoints = Endpoint.objects.in_bulk([row["endpoint_id"] for row in rows])
    records = records_of(list(endpoints.values()), now=now)
    return [
        FailingEndpoint(endpoints[key], row["failed"], row["retrying"], records[key].attempts.failures_in_a_row)
        for row in rows
        for key in [row["endpoint_id"]]
    ]
