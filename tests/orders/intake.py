"""Posting orders in tests, and looking at all that a post may have left."""

from collections import Counter
from typing import Any
from uuid import UUID, uuid4

from rest_framework.test import APIClient

from apps.audit.models import AuditEntry
from apps.core.scope import tenant_scope
from apps.idempotency.models import IdempotencyRecord
from apps.jobs.models import Job
from apps.orders.models import Order, OrderEvent, RiskDecision
from apps.outbox.models import OutboxEvent
from tests.factories.orders import Desk

URL = "/api/v1/orders"
KINDS = ("order.submit", "order.replace", "order.cancel")


def body_of(desk: Desk, **values: Any) -> dict[str, Any]:
    """Return a limit order for ten at 190.25; a value of None leaves the field out."""
    body = {
        "account_id": str(desk.account.id),
        "instrument": desk.listing.instrument.key,
        "side": "buy",
        "type": "limit",
        "quantity": "10",
        "limit_price": "190.25",
        **values,
    }
    return {name: value for name, value in body.items() if value is not None}


def post(client: APIClient, body: object, *, key: str = "") -> Any:
    """Post an order under this key, or one of its own."""
    return client.post(URL, body, format="json", headers={"Idempotency-Key": key or str(uuid4())})


def traces(tenant_id: UUID) -> Counter[str]:
    """Count what intake has left of a tenant's orders: rows, leaves, events, jobs and kept answers, where any are."""
    with tenant_scope(tenant_id):
        return +Counter(
            orders=Order.objects.count(),
            order_events=OrderEvent.objects.count(),
            decisions=RiskDecision.objects.count(),
            leaves=AuditEntry.objects.filter(action__startswith="order.").count(),
            events=OutboxEvent.objects.filter(type__startswith="order.").count(),
            jobs=Job.objects.filter(kind__in=KINDS).count(),
            answers=IdempotencyRecord.objects.filter(headers__has_key="Location").count(),
        )
