"""What a client asks for, and the kinds of jobs that carry orders: each one's payload is {"order_id": "..."}."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import partial

import msgspec

from apps.jobs.types import JobKind
from apps.orders.enums import OrderType, Side, TimeInForce

# Asked for the time once a lock is held, since the wait for it may have been long.
Clock = Callable[[], datetime]


class NewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as a client asks for it. Without a `client_order_id` the order's own id is taken."""

    instrument: str
    side: Side
    type: OrderType
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    client_order_id: str = ""


# A lease is short: whoever takes over from a dead worker asks the venue before it sends, so nothing is sent twice.
# A call to a venue takes 60 seconds at most, with all of its tries (providers.transport).
_order_job = partial(
    JobKind,
    queue="orders",
    max_attempts=20,
    lease_seconds=10,
    backoff_seconds=1,
    backoff_max_seconds=30,
    soft_seconds=120,
    hard_seconds=180,
)
SUBMIT_ORDER = _order_job("order.submit")
# Asks the venue for an order whose outcome is not known, ever more slowly, until somebody knows.
RESOLVE_ORDER = _order_job("order.resolve", max_attempts=1000, backoff_max_seconds=300)
CANCEL_ORDER = _order_job("order.cancel")
REPLACE_ORDER = _order_job("order.replace")
# Reads what happened on an account that the stream may have missed; its payload is {"risk_account_id": "..."}.
PULL_ACCOUNT = _order_job("order.pull", max_attempts=8, lease_seconds=30, backoff_max_seconds=60)

# Before everything else on the queue: a client and a market are waiting.
ORDER_PRIORITY = 10
