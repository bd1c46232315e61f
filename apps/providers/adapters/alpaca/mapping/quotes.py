"""Latest quotes. Source: the market data OpenAPI document, schema Quote; crypto quotes have no exchange."""

from decimal import Decimal
from typing import Any

import msgspec

from apps.providers.adapters.alpaca.mapping.values import Stamp, in_utc, mapped, number, number_or_none
from apps.providers.trading import QuoteData
from apps.providers.types import RejectedRow


class _Quote(msgspec.Struct, rename={"bid": "bp", "ask": "ap", "bid_size": "bs", "ask_size": "as", "at": "t"}):
    bid: Decimal
    ask: Decimal
    at: Stamp
    bid_size: Decimal | None = None
    ask_size: Decimal | None = None


def map_quote(symbol: str, raw: Any) -> QuoteData | RejectedRow:
    """Return the best bid and ask. Alpaca shows a side that nobody makes with a price of 0."""

    def build() -> QuoteData:
        quote = msgspec.convert(raw, _Quote)
        bid, ask = _price(quote.bid), _price(quote.ask)
        return QuoteData(
            symbol=symbol,
            bid=bid,
            ask=ask,
            bid_size=None if bid is None else number_or_none(quote.bid_size),
            ask_size=None if ask is None else number_or_none(quote.ask_size),
            venue_at=in_utc(quote.at),
        )

    return mapped("quote", raw, build)


def _price(value: Decimal) -> Decimal | None:
    price = number(value)
    if price < 0:
        raise msgspec.ValidationError("A price is negative.")
    return price or None
