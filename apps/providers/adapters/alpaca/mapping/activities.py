"""Account activities as movements of cash, and fills as executions.

Source: the trading OpenAPI document, schemas TradingActivities, NonTradeActivities and ActivityType.
"""

from datetime import date
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from apps.core.money import plain
from apps.providers.adapters.alpaca.mapping.values import Id, Stamp, Symbol, in_utc, mapped, number, text
from apps.providers.trading import FillData, Side
from apps.providers.types import RejectedRow, TransactionData, TransactionStatus

# Alpaca keeps its books by New York's days: the ids of activities begin with that time.
NEW_YORK = ZoneInfo("America/New_York")

# What a statement would say, where the activity has no description: data like a bank's own, so it is not translated
# (a change of language would change every row). A type that is not here is shown as it is.
_LABELS = {
    "ACATC": ("Cash transferred from or to another broker", "transfer"),
    "CFEE": ("Crypto fee", "fee"),
    "CIL": ("Cash in lieu of shares", "corporate action"),
    "CSD": ("Cash deposit", "transfer"),
    "CSW": ("Cash withdrawal", "transfer"),
    "DIV": ("Dividend", "dividend"),
    "DIVCGL": ("Long-term capital gain distribution", "dividend"),
    "DIVCGS": ("Short-term capital gain distribution", "dividend"),
    "DIVFEE": ("Dividend fee", "fee"),
    "DIVFT": ("Foreign tax withheld on dividend", "tax"),
    "DIVNRA": ("Non-resident tax withheld on dividend", "tax"),
    "DIVROC": ("Return of capital", "dividend"),
    "DIVTW": ("Tax withheld on dividend", "tax"),
    "DIVTXEX": ("Tax-exempt dividend", "dividend"),
    "FEE": ("Fee", "fee"),
    "INT": ("Interest", "interest"),
    "INTNRA": ("Non-resident tax withheld on interest", "tax"),
    "INTTW": ("Tax withheld on interest", "tax"),
    "JNLC": ("Cash journal", "transfer"),
    "PTC": ("Pass-through charge", "fee"),
    "PTR": ("Pass-through rebate", "fee"),
    "REORG": ("Reorganisation", "corporate action"),
    "TRANS": ("Cash transfer", "transfer"),
}

_SIDES: dict[str, Side] = {"buy": "buy", "sell": "sell", "sell_short": "sell"}


class _Fill(msgspec.Struct):
    id: Id
    activity_type: Literal["FILL"]
    transaction_time: Stamp
    price: Decimal
    qty: Decimal
    side: Literal["buy", "sell", "sell_short"]
    symbol: Symbol
    order_id: Id


class _Movement(msgspec.Struct):
    id: Id
    activity_type: str
    date: date
    net_amount: Decimal | None = None
    symbol: str | None = None
    description: str | None = None
    status: Literal["pending", "executed", "correct", "canceled"] | None = None


def map_activity(raw: Any, currency: str) -> TransactionData | RejectedRow:
    """Return an activity as the movement of cash that it is, or why it is none."""
    is_fill = isinstance(raw, dict) and raw.get("activity_type") == "FILL"
    return mapped("transaction", raw, lambda: _trade(raw, currency) if is_fill else _movement(raw, currency))


def map_fill(raw: Any) -> FillData | RejectedRow:
    """Return an execution. The part of an activity's id after "::" is the stream's `execution_id`."""

    def build() -> FillData:
        row = msgspec.convert(raw, _Fill)
        _day, separator, execution_id = row.id.partition("::")
        if not separator or not execution_id:
            raise msgspec.ValidationError("Its id names no execution.")
        return FillData(
            execution_id=execution_id,
            venue_order_id=row.order_id,
            symbol=row.symbol,
            side=_SIDES[row.side],
            quantity=number(row.qty),
            price=number(row.price),
            # Alpaca charges fees by activities of their own (FEE, CFEE), a day's together.
            fee=Decimal(0),
            filled_at=in_utc(row.transaction_time),
        )

    return mapped("fill", raw, build)


def _trade(raw: Any, currency: str) -> TransactionData:
    row = msgspec.convert(raw, _Fill)
    quantity, price = number(row.qty), number(row.price)
    is_buy = _SIDES[row.side] == "buy"
    return TransactionData(
        external_id=row.id,
        amount=number(-quantity * price if is_buy else quantity * price),
        currency=currency,
        date=row.transaction_time.astimezone(NEW_YORK).date(),
        status="posted",
        description=f"{'Bought' if is_buy else 'Sold'} {plain(quantity)} {row.symbol} at {plain(price)}",
        category="trade",
    )


def _movement(raw: Any, currency: str) -> TransactionData:
    row = msgspec.convert(raw, _Movement)
    if row.net_amount is None:
        raise msgspec.ValidationError(f"An activity of type {row.activity_type[:20]} without an amount moves no cash.")
    label, category = _LABELS.get(row.activity_type, (text(row.activity_type), ""))
    status: TransactionStatus = "pending" if row.status == "pending" else "posted"
    is_canceled = row.status == "canceled"
    described = text(row.description) or " ".join(filter(None, [label, text(row.symbol)]))
    return TransactionData(
        external_id=row.id,
        # A canceled movement stays in sight, and moves nothing any more.
        amount=Decimal(0) if is_canceled else number(row.net_amount),
        currency=currency,
        date=row.date,
        status=status,
        description=f"{described} (canceled)" if is_canceled else described,
        category=category,
    )
