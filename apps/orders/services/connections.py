"""What orders need of connections: an order is watched and canceled through the one that carried it to its venue."""

from django.utils.translation import ngettext

from apps.orders.models import Order, RiskAccount
from apps.orders.rules.states import OPEN_STATES
from apps.providers.errors import ConnectionInUse
from apps.providers.models import Connection


def require_no_open_orders(connection: Connection) -> None:
    """Refuse to let a connection go while orders are open on it, those of unknown outcome among them.

    The risk accounts' locks are what order intake takes before it reads whether the connection is active: an order
    that is being placed is counted here, or finds the connection disabled.

    Raises:
        ConnectionInUse: `open_orders` says how many.
    """
    accounts = list(RiskAccount.objects.select_for_update().filter(connection=connection).order_by("id"))
    count = Order.objects.filter(risk_account__in=accounts, status__in=OPEN_STATES).count()
    if count:
        message = ngettext(
            "%(count)s order is open on this connection. Cancel it first and wait until it has ended.",
            "%(count)s orders are open on this connection. Cancel them first and wait until they have ended.",
            count,
        )
        raise ConnectionInUse(message % {"count": count}, open_orders=count)
