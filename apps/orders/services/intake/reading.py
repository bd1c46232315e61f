"""What an order is judged upon: two statements, the second of which sees what the first one's lock waited for."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, Self
from uuid import UUID

from apps.core.db.statements import Statement, run_in_one_trip
from apps.orders.models import Order
from apps.orders.rules.parameters import ListingRules
from apps.orders.rules.states import OPEN_STATES
from apps.orders.services.switches import engaged_sql

# However often a venue's account is connected, it has one risk account.
_OF_ACCOUNT = "r.tenant_id = a.tenant_id AND r.venue = a.provider AND r.external_id = a.external_id"

_LOCK = f"""
SELECT r.id, r.connection_id, c.status = 'active' AND c.deleted_at IS NULL, r.account_id, r.venue, r.mode, r.currency,
       r.max_open_trades, r.max_position_value, r.max_concentration, r.max_orders_per_minute,
       r.equity, r.buying_power, r.is_restricted, r.means_as_of, r.rate_reset_at
FROM accounts_account a
JOIN orders_riskaccount r ON {_OF_ACCOUNT}
JOIN providers_connection c ON c.tenant_id = r.tenant_id AND c.id = r.connection_id
WHERE a.tenant_id = %s AND a.id = %s FOR UPDATE OF r
"""  # noqa: S608  (a join)

# The states are spelled out as they are in the index of open orders.
_OPEN = ", ".join(f"'{state}'" for state in sorted(OPEN_STATES))
_FACTS = f"""
WITH open_order AS MATERIALIZED (
    SELECT o.instrument_id, o.side, o.status, o.quantity - o.filled_quantity AS remaining,
           GREATEST(o.limit_price, o.stop_price) AS price
    FROM accounts_account a
    JOIN orders_riskaccount r ON {_OF_ACCOUNT}
    JOIN orders_order o ON o.tenant_id = r.tenant_id AND o.risk_account_id = r.id
    WHERE a.tenant_id = %s AND a.id = %s AND o.status IN ({_OPEN}) AND o.id IS DISTINCT FROM %s::uuid
)
SELECT a.mode, a.status = 'open' AND c.status = 'active' AND c.deleted_at IS NULL,
       i.id, i.key, i.asset_class,
       l.symbol, l.listed, l.tradable, l.shortable, l.minimum_quantity, l.quantity_increment, l.price_increment,
       q.bid, q.ask, q.venue_at, q.received_at,
       k.is_open, k.venue_at, k.asked_at, k.received_at,
       (SELECT min(at) FROM unnest(ARRAY[k.next_open_at, k.next_close_at]) AS at WHERE at > k.venue_at),
       (SELECT p.quantity FROM orders_position p
         WHERE p.tenant_id = a.tenant_id AND p.risk_account_id = r.id AND p.instrument_id = i.id),
       (SELECT sum(remaining) FROM open_order WHERE side = 'buy' AND instrument_id = i.id),
       (SELECT sum(remaining) FROM open_order WHERE side = 'sell' AND instrument_id = i.id),
       (SELECT sum(remaining * (price - q.ask)) FROM open_order
         WHERE side = 'buy' AND instrument_id = i.id AND price > q.ask),
       (SELECT sum(remaining * (price - q.ask)) FROM open_order
         WHERE side = 'sell' AND instrument_id = i.id AND price > q.ask),
       (SELECT count(DISTINCT other.instrument_id) FROM (
            SELECT instrument_id FROM open_order
            UNION ALL
            SELECT p.instrument_id FROM orders_position p
             WHERE p.tenant_id = a.tenant_id AND p.risk_account_id = r.id AND p.quantity <> 0) AS other
         WHERE other.instrument_id IS DISTINCT FROM i.id),
       (SELECT count(*) FROM open_order WHERE status = 'unknown'),
       (SELECT sum(recent.reserved) FROM (
            SELECT o.reserved FROM orders_order o WHERE o.tenant_id = r.tenant_id AND o.risk_account_id = r.id
               AND o.reserved > 0 AND o.accepted_at IS NULL AND o.id IS DISTINCT FROM %s::uuid
            UNION ALL
            SELECT o.reserved FROM orders_order o WHERE o.tenant_id = r.tenant_id AND o.risk_account_id = r.id
               AND o.reserved > 0 AND o.accepted_at >= r.means_as_of) AS recent),
       ARRAY({engaged_sql("a.tenant_id", "r.account_id")}),
       EXISTS (SELECT FROM orders_order o WHERE o.tenant_id = a.tenant_id AND o.client_order_id = %s)
FROM accounts_account a
JOIN providers_connection c ON c.tenant_id = a.tenant_id AND c.id = a.connection_id
LEFT JOIN orders_riskaccount r ON {_OF_ACCOUNT}
LEFT JOIN market_instrument i ON i.key = %s
LEFT JOIN market_listing l ON l.instrument_id = i.id AND l.venue = r.venue
LEFT JOIN market_quote q ON q.instrument_id = i.id AND q.source = r.venue
LEFT JOIN market_venueclock k ON k.venue = r.venue
WHERE a.tenant_id = %s AND a.id = %s
"""  # noqa: S608  (the states are ours)


class Means(NamedTuple):
    """The locked risk account: its limits, and the venue's last word on its means."""

    id: UUID
    connection_id: UUID
    is_connected: bool
    account_id: UUID
    venue: str
    mode: str
    currency: str
    max_open_trades: int
    max_position_value: Decimal
    max_concentration: Decimal
    max_orders_per_minute: int
    equity: Decimal | None
    buying_power: Decimal | None
    is_restricted: bool
    means_as_of: datetime | None
    rate_reset_at: datetime | None


class Facts(NamedTuple):
    """Everything else, as it was once the risk account was locked."""

    mode: str
    can_trade: bool
    instrument_id: UUID | None
    key: str | None
    asset_class: str | None
    symbol: str | None
    listed: bool | None
    tradable: bool | None
    shortable: bool | None
    minimum_quantity: Decimal | None
    quantity_increment: Decimal | None
    price_increment: Decimal | None
    bid: Decimal | None
    ask: Decimal | None
    quote_venue_at: datetime | None
    quote_received_at: datetime | None
    clock_is_open: bool | None
    clock_venue_at: datetime | None
    clock_asked_at: datetime | None
    clock_received_at: datetime | None
    clock_turns_at: datetime | None
    position: Decimal | None
    open_buys: Decimal | None
    open_sells: Decimal | None
    open_buys_above: Decimal | None
    open_sells_above: Decimal | None
    other_trades: int
    unknown_orders: int
    reserved: Decimal | None
    engaged_switches: list[str]
    is_client_id_taken: bool

    @property
    def listing(self) -> ListingRules:
        """What the venue says of the instrument's orders."""
        return ListingRules(
            asset_class=self.asset_class or "",
            minimum_quantity=self.minimum_quantity,
            quantity_increment=self.quantity_increment,
            price_increment=self.price_increment,
        )


class Reading(NamedTuple):
    """What was read under the lock: without `facts` there is no such account, without `means` no risk account yet."""

    means: Means | None
    facts: Facts | None

    @classmethod
    def of(cls, rows: Sequence[Sequence[tuple[Any, ...]]]) -> Self:
        """Make a reading of the rows that the statements of `statements_of` returned."""
        locked, found = rows
        return cls(Means(*locked[0]) if locked else None, Facts(*found[0]) if found else None)


def statements_of(
    *, tenant_id: UUID, account_id: UUID, instrument: str, client_order_id: str, without: UUID | None = None
) -> list[Statement]:
    """Return the statements that lock the risk account and then read the rest.

    `without` is an order that the venue does not have yet: all is read as if there were none.
    """
    account = [tenant_id, account_id]
    return [
        Statement(_LOCK, account),
        Statement(_FACTS, [*account, without, without, client_order_id, instrument, *account]),
    ]


def read_for(order: Order, *, without: UUID | None = None) -> Reading:
    """Lock the account of a stored order and read the rest, in the open transaction; `without` as above."""
    return Reading.of(
        run_in_one_trip(
            statements_of(
                tenant_id=order.tenant_id,
                account_id=order.account_id,
                instrument=order.instrument.key,
                client_order_id="",
                without=without,
            )
        )
    )
