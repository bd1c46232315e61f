"""What a letter about an endpoint says; it is read when it is sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from apps.core.scope import tenant_scope
from apps.tenants import selectors as tenants
from apps.webhooks.enums import EndpointStatus
from apps.webhooks.models import DeliveryAttempt, Endpoint
from apps.webhooks.patience import NOTICES_AFTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A notice, or with a `reason` word of the end: to whom, about what, and what the receiver said last."""

    email: str
    tenant: str
    endpoint: Endpoint
    failing_since: datetime | None
    last_attempt: DeliveryAttempt | None
    reason: str = ""
    notice: int = 0
    disabled_from: datetime | None = None
    notices: int = len(NOTICES_AFTER)

    @property
    def host(self) -> str:
        """Where the endpoint is, short enough for a subject."""
        return urlsplit(self.endpoint.url).netloc[:100]


def find_letter(tenant_id: UUID, payload: Mapping[str, Any]) -> Letter | None:
    """Return the letter of a job; None: the member or the endpoint is gone, or all is well by now."""
    with tenant_scope(tenant_id):
        endpoint = Endpoint.objects.filter(id=payload["endpoint_id"], deleted_at=None).first()
        member = tenants.members().filter(id=payload["member_id"]).first()
        reason = payload.get("reason", "")
        if endpoint is None or member is None or not member.email or not _stands(endpoint, reason):
            return None
        attempts = DeliveryAttempt.objects.filter(tenant_id=tenant_id, endpoint_id=endpoint.id)
        return Letter(
            email=member.email,
            tenant=" ".join(tenants.get_tenant().name.split()),
            endpoint=endpoint,
            failing_since=_time(payload.get("failing_since")),
            last_attempt=attempts.order_by("-at").first(),
            reason=reason,
            notice=payload.get("notice", 0),
            disabled_from=_time(payload.get("disabled_from")),
        )


def _stands(endpoint: Endpoint, reason: str) -> bool:
    if reason:
        return endpoint.disabled_reason == reason
    return endpoint.status == EndpointStatus.ENABLED and endpoint.failing_since is not None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
