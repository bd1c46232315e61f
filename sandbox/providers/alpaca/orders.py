"""Hold one order: what was asked for, how far it got, and what is due to happen to it."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sandbox.providers.alpaca.assets import NINE_PLACES, Asset
from sandbox.providers.alpaca.wire import stamp, stamp_or_none, text, text_or_none

BUY, SELL = "buy", "sell"
FINAL = frozenset({"filled", "canceled", "expired", "replaced", "rejected"})
# What a test may put an order into; it trades no more until it is "new" again.
PAUSED = frozenset(
    {"accepted_for_bidding", "calculated", "done_for_day", "held", "pending_review", "stopped", "suspended"}
)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Terms:
    """Carry what a client may ask for; either `qty` or `notional` is set."""

    symbol: str
    side: str
    type: str
    time_in_force: str
    qty: Decimal | None
    notional: Decimal | None
    limit: Decimal | None
    stop: Decimal | None
    extended_hours: bool

    def as_args(self) -> dict[str, Any]:
        """Return the terms as the journal keeps them."""
        return {
            "symbol": self.symbol,
            "side": self.side,
            "type": self.type,
            "tif": self.time_in_force,
            "qty": text_or_none(self.qty),
            "notional": text_or_none(self.notional),
            "limit": text_or_none(self.limit),
            "stop": text_or_none(self.stop),
            "extended": self.extended_hours,
        }

    @classmethod
    def of_args(cls, args: dict[str, Any]) -> "Terms":
        """Take the terms out of the journal."""
        return cls(
            symbol=args["symbol"],
            side=args["side"],
            type=args["type"],
            time_in_force=args["tif"],
            qty=_number(args["qty"]),
            notional=_number(args["notional"]),
            limit=_number(args["limit"]),
            stop=_number(args["stop"]),
            extended_hours=args["extended"],
        )


@dataclass(slots=True)
class Due:
    """Hold the virtual instants at which something is to happen; None: not planned."""

    ack: float | None = None
    match: float | None = None
    cancel: float | None = None
    replace: float | None = None
    expire: float | None = None

    def first(self) -> tuple[float, str] | None:
        """Return what comes first; at the same instant a fill wins over a cancel."""
        planned = (
            (self.ack, "ack"),
            (self.match, "match"),
            (self.replace, "replace"),
            (self.cancel, "cancel"),
            (self.expire, "expire"),
        )
        return min(((at, what) for at, what in planned if at is not None), key=lambda each: each[0], default=None)


@dataclass(slots=True, eq=False)
class Order:
    """Hold an order. Instants named `_at` are real ones; `due` holds virtual ones."""

    id: str
    client_order_id: str
    key: str
    number: int
    asset: Asset
    terms: Terms
    intent: str
    created_at: float
    expires_at: float
    status: str
    due: Due = field(default_factory=Due)
    filled_qty: Decimal = ZERO
    filled_cost: Decimal = ZERO
    fills: int = 0
    events: int = 0
    triggered: bool = False
    # What a test has decided: the reason with which the venue will reject it.
    doomed: str | None = None
    reserved: Decimal = ZERO
    held: Decimal = ZERO
    replaces: str | None = None
    replaced_by: str | None = None
    updated_at: float = 0.0
    filled_at: float | None = None
    expired_at: float | None = None
    canceled_at: float | None = None
    failed_at: float | None = None
    replaced_at: float | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether anything can still happen to it."""
        return self.status not in FINAL

    @property
    def is_buy(self) -> bool:
        """Tell whether it buys."""
        return self.terms.side == BUY

    @property
    def leaves(self) -> Decimal:
        """Return what is still to be filled; nothing is known of a notional order's before its fill."""
        return ZERO if self.terms.qty is None else self.terms.qty - self.filled_qty

    @property
    def average(self) -> Decimal | None:
        """Return the average price of the fills."""
        return (self.filled_cost / self.filled_qty).quantize(NINE_PLACES) if self.filled_qty else None

    def as_json(self) -> dict[str, Any]:
        """Return the order as every answer and stream message shows it."""
        terms = self.terms
        return {
            "id": self.id,
            "client_order_id": self.client_order_id,
            "created_at": stamp(self.created_at),
            "updated_at": stamp(self.updated_at),
            "submitted_at": stamp(self.created_at),
            "filled_at": stamp_or_none(self.filled_at),
            "expired_at": stamp_or_none(self.expired_at),
            "canceled_at": stamp_or_none(self.canceled_at),
            "failed_at": stamp_or_none(self.failed_at),
            "replaced_at": stamp_or_none(self.replaced_at),
            "replaced_by": self.replaced_by,
            "replaces": self.replaces,
            "asset_id": self.asset.id,
            "symbol": self.asset.symbol,
            "asset_class": self.asset.asset_class,
            "notional": text_or_none(terms.notional),
            "qty": text_or_none(terms.qty),
            "filled_qty": text(self.filled_qty),
            "filled_avg_price": text_or_none(self.average),
            "order_class": "",
            "order_type": terms.type,
            "type": terms.type,
            "side": terms.side,
            "position_intent": self.intent,
            "time_in_force": terms.time_in_force,
            "limit_price": text_or_none(terms.limit),
            "stop_price": text_or_none(terms.stop),
            "status": self.status,
            "extended_hours": terms.extended_hours,
            "legs": None,
            "trail_percent": None,
            "trail_price": None,
            "hwm": None,
            "subtag": None,
            "source": None,
            "expires_at": stamp(self.expires_at),
        }


def _number(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)
