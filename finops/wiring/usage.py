"""How the meters of a plan are counted."""

from datetime import datetime, time
from uuid import UUID

from apps.accounts.models import Account
from apps.core.ids import lowest_id
from apps.orders.models import Order
from apps.providers.enums import ConnectionStatus
from apps.providers.models import Connection
from apps.tenants.enums import Meter
from apps.tenants.usage import Count, count_by
from apps.webhooks.models import Endpoint


def connections(tenant_id: UUID, _now: datetime) -> int:
    """Count the connections that are not disabled."""
    return Connection.objects.filter(tenant_id=tenant_id).exclude(status=ConnectionStatus.DISABLED).count()


def accounts(tenant_id: UUID, _now: datetime) -> int:
    """Count all accounts, closed ones, too: their books are kept."""
    return Account.objects.filter(tenant_id=tenant_id).count()


def webhook_endpoints(tenant_id: UUID, _now: datetime) -> int:
    """Count the endpoints that are not deleted."""
    return Endpoint.objects.filter(tenant_id=tenant_id, deleted_at=None).count()


def orders_today(tenant_id: UUID, now: datetime) -> int:
    """Count the orders since midnight UTC, by the time in their ids, which lead an index."""
    midnight = datetime.combine(now.date(), time.min, now.tzinfo)
    return Order.objects.filter(tenant_id=tenant_id, id__gte=lowest_id(midnight)).count()


def install() -> None:
    """Register how each meter is counted."""
    counts: dict[Meter, Count] = {
        Meter.CONNECTIONS: connections,
        Meter.ACCOUNTS: accounts,
        Meter.WEBHOOK_ENDPOINTS: webhook_endpoints,
        Meter.ORDERS_TODAY: orders_today,
    }
    for meter, count in counts.items():
        count_by(meter, count)
