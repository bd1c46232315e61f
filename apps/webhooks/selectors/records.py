"""How endpoints fare: by the attempts of the last day, so that what fails shows at once, and by what waits now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Min, Q

from apps.core.ids import lowest_id
from apps.webhooks.enums import DeliveryStatus
from apps.webhooks.models import Delivery, Endpoint

DAY = timedelta(days=1)
# So many failures in a row are no accident.
IN_A_ROW = 3

_ATTEMPTS = """
SELECT endpoint_id,
       count(*) FILTER (WHERE error = ''),
       count(*) FILTER (WHERE error <> ''),
       count(*) FILTER (WHERE succeeded_at IS NULL OR at > succeeded_at),
       percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms),
       percentile_disc(0.99) WITHIN GROUP (ORDER BY duration_ms),
       max(at)
  FROM (SELECT endpoint_id, error, duration_ms, at,
               max(at) FILTER (WHERE error = '') OVER (PARTITION BY endpoint_id) AS succeeded_at
          FROM webhooks_deliveryattempt
         WHERE tenant_id = ANY(%(tenant_ids)s) AND endpoint_id = ANY(%(endpoint_ids)s) AND at >= %(since)s) AS attempt
 GROUP BY endpoint_id
"""


@dataclass(frozen=True, slots=True)
class Attempts:
    """The attempts of the last day: those that delivered, those that failed, and how many have since the last success.

    `middle` and `slowest` are the durations that half and 99 % of them did not exceed.
    """

    delivered: int = 0
    failed: int = 0
    failures_in_a_row: int = 0
    middle: timedelta | None = None
    slowest: timedelta | None = None
    last_at: datetime | None = None

    @property
    def share(self) -> Decimal | None:
        """The part of them that delivered; None of none."""
        made = self.delivered + self.failed
        return Decimal(self.delivered) / made if made else None


@dataclass(frozen=True, slots=True)
class Record:
    """An endpoint's attempts, the deliveries of the last day that were given up, and what waits, however old."""

    attempts: Attempts = Attempts()
    given_up: int = 0
    pending: int = 0
    waiting_since: datetime | None = None


def records_of(endpoints: Sequence[Endpoint], *, now: datetime) -> Mapping[UUID, Record]:
    """Return the record of each endpoint, in two queries."""
    if not endpoints:
        return {}
    attempts, deliveries = _attempts(endpoints, now - DAY), _deliveries(endpoints, now - DAY)
    return {
        endpoint.pk: Record(attempts.get(endpoint.pk, Attempts()), *deliveries.get(endpoint.pk, (0, 0, None)))
        for endpoint in endpoints
    }


def _attempts(endpoints: Sequence[Endpoint], since: datetime) -> dict[UUID, Attempts]:
    parameters: dict[str, Any] = {
        "tenant_ids": list({endpoint.tenant_id for endpoint in endpoints}),
        "endpoint_ids": [endpoint.pk for endpoint in endpoints],
        "since": since,
    }
    with connection.cursor() as cursor:
        cursor.execute(_ATTEMPTS, parameters)
        return {
            endpoint_id: Attempts(
                delivered,
                failed,
                in_a_row,
                timedelta(milliseconds=middle),
                timedelta(milliseconds=slowest),
                last_at,
            )
            for endpoint_id, delivered, failed, in_a_row, middle, slowest, last_at in cursor.fetchall()
        }


def _deliveries(endpoints: Sequence[Endpoint], since: datetime) -> dict[UUID, tuple[int, int, datetime | None]]:
    failed, pending = Q(status=DeliveryStatus.FAILED, id__gte=lowest_id(since)), Q(status=DeliveryStatus.PENDING)
    rows = (
        Delivery.objects.filter(
            failed | pending,
            tenant_id__in={endpoint.tenant_id for endpoint in endpoints},
            endpoint_id__in=[endpoint.pk for endpoint in endpoints],
        )
        .values("endpoint_id")
        .annotate(
            failed=Count("id", filter=failed),
            pending=Count("id", filter=pending),
            since=Min("created_at", filter=pending),
        )
        .order_by()
    )
    return {row["endpoint_id"]: (row["failed"], row["pending"], row["since"]) for row in rows}
