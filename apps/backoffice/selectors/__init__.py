"""What the dashboard shows, across tenants.

Queues and lists are bounded by an index and a limit. The live connections and the day's runs, orders and deliveries
are read whole: that grows with the platform, so the site keeps a board for two seconds, whoever looks (see
`apps.backoffice.recent`).
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from apps.backoffice.selectors.platform import Platform, platform, waiting_for_people
from apps.backoffice.selectors.trading import Trading, trading
from apps.backoffice.selectors.webhooks import Webhooks, webhooks
from apps.tenants.models import Tenant

__all__ = ["Dashboard", "Platform", "Trading", "Webhooks", "dashboard", "waiting_for_people"]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Everything on the dashboard, as of `now`."""

    now: datetime
    platform: Platform
    trading: Trading
    webhooks: Webhooks
    tenants: dict[UUID, str] = field(default_factory=dict)


def dashboard(*, now: datetime) -> Dashboard:
    """Return the dashboard's content; call it in a staff scope."""
    board = Dashboard(now, platform(now=now), trading(now=now), webhooks(now=now))
    rows: list[Any] = [*board.platform.rows, *board.trading.rows, *board.webhooks.rows]
    board.tenants.update(Tenant.objects.filter(pk__in={row.tenant_id for row in rows}).values_list("pk", "slug"))
    return board
