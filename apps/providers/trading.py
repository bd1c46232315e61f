"""What crosses the edge of a broker or a source of market data, in our own terms."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

Side = Literal["buy", "sell"]
OrderType = Literal["market", "limit", "stop", "stop_limit"]
TimeInForce = Literal["day", "gtc", "ioc", "fok"]
# The states of docs/architecture.md that a venue can put an order in.
VenueStatus = Literal[
    "accepted",
    "held",
    "partially_filled",
    "filled",
    "canceled",
    "expired",
    "replaced",
    "done_for_day",
    "rejected",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeansData:
    """What a trading account is worth and may spend, in its currency. `is_restricted`: the venue lets it not trade."""

    external_id: str
    currency: str
    equity: Decimal
    cash: Decimal
    buying_power: Decimal
    is_restricted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetData:
    """An instrument as the venue lists it. `key` is canonical, such as XNAS:AAPL; None: the venue states no rule."""

    external_id: str
    key: str
    symbol: str  # at the venue
    name: str
    asset_class: Literal["equity", "crypto"]
    currency: str
    tradable: bool
    shortable: bool
    fractionable: bool
    minimum_quantity: Decimal | None
    quantity_increment: Decimal | None
    price_increment: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockData:
    """The venue's clock."""

    venue_at: datetime
    is_open: bool
    next_open_at: datetime | None
    next_close_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteData:
    """The best bid and ask; a side is None where the source shows none (it sends a price of 0)."""

    symbol: str  # at the venue
    bid: Decimal | None
    ask: Decimal | None
    bid_size: Decimal | None
    ask_size: Decimal | None
    venue_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """An order to place. `client_order_id` is ours, at most 48 characters, and the venue takes it once."""

    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    time_in_force: TimeInForce


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOrder:
    """An order as the venue shows it. `pending` is what the venue is still working on.

    `side`, `type` and `time_in_force` are in our terms where the venue's are ours, else the venue's own: an order of
    somebody else's may be anything. `venue_status` is the venue's own word, for people. `fee` comes with fills.
    """

    venue_order_id: str
    client_order_id: str
    symbol: str
    side: str
    type: str
    limit_price: Decimal | None
    stop_price: Decimal | None
    time_in_force: str
    status: VenueStatus
    pending: Literal["none", "cancel", "replace"]
    venue_status: str
    quantity: Decimal | None
    filled_quantity: Decimal
    average_fill_price: Decimal | None
    replaces: str | None
    replaced_by: str | None
    updated_at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillData:
    """One execution. `execution_id` is the same in the stream and in the list of activities."""

    execution_id: str
    venue_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    filled_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingData:
    """A position as the venue shows it; a short is negative."""

    symbol: str  # at the venue
    external_id: str  # of the asset
    quantity: Decimal
    average_price: Decimal
    market_price: Decimal | None
    market_value: Decimal | None
    cost_basis: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOpened:
    """The stream is authenticated and listening. What happened before is not in it: pull."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeUpdate:
    """Something happened to an order; with `fill` when it was executed in part or in full.

    `event` is the venue's word. A refused cancel or replace comes as "order_cancel_rejected" and
    "order_replace_rejected".
    """

    event: str
    at: datetime
    order: VenueOrder
    fill: FillData | None
