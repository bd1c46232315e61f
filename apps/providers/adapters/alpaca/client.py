"""Reads and trades one Alpaca account. Source: the trading and market data OpenAPI documents, docs.alpaca.markets."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

from apps.providers.adapters.alpaca import errors, paging
from apps.providers.adapters.alpaca.hosts import ORDER, QUICK, mode_of, open_client
from apps.providers.adapters.alpaca.mapping.accounts import map_account, map_balance, map_clock, map_means
from apps.providers.adapters.alpaca.mapping.activities import map_activity, map_fill
from apps.providers.adapters.alpaca.mapping.assets import map_asset, map_position
from apps.providers.adapters.alpaca.mapping.orders import map_order, order_body, replacement_body
from apps.providers.adapters.alpaca.mapping.quotes import map_quote
from apps.providers.errors import ProviderError
from apps.providers.trading import (
    AssetData,
    ClockData,
    FillData,
    HoldingData,
    MeansData,
    OrderRequest,
    QuoteData,
    VenueOrder,
)
from apps.providers.types import AccountData, BalanceData, Page, RejectedRow

logger = logging.getLogger(__name__)

Mapped = TypeVar("Mapped")

ASSET_CLASSES = ("us_equity", "crypto")
STOCK_QUOTES = "/v2/stocks/quotes/latest"
CRYPTO_QUOTES = "/v1beta3/crypto/us/latest/quotes"
# Symbols go in the address, which proxies bound at about 8,000 characters.
QUOTES_AT_ONCE = 200


class AlpacaAdapter:
    """One account: see protocols.HoldingsAdapter, BrokerageAdapter and MarketDataAdapter."""

    def __init__(self, credentials: Mapping[str, str], connection_key: str) -> None:
        self._mode = mode_of(credentials)
        self._trading = open_client(self._mode, credentials, connection_key)
        self._data = open_client("data", credentials, connection_key)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the account; connections to the hosts stay open for the next one."""
        self._trading.close()
        self._data.close()

    # What a sync reads.

    def accounts(self) -> list[AccountData | RejectedRow]:
        """Return the one account that a key opens."""
        return [map_account(self._trading.get("accounts.list", "/v2/account"), mode=self._mode)]

    def balance(self, external_id: str) -> BalanceData | RejectedRow:
        """Return the account's cash and buying power."""
        return map_balance(self._trading.get("balances.get", "/v2/account"), external_id)

    def transactions(self, external_id: str, *, since: date | None) -> Iterator[Page]:
        """Yield the account's activities as movements of cash, newest first, back to `since`."""
        account = map_account(self._trading.get("accounts.get", "/v2/account"), mode=self._mode)
        if isinstance(account, RejectedRow) or account.external_id != external_id:
            raise errors.malformed("accounts.get")
        for rows in paging.activities_backwards(self._trading):
            page = [map_activity(row, account.currency) for row in rows]
            yield Page(tuple(row for row in page if isinstance(row, RejectedRow) or since is None or row.date >= since))
            # A page may hold rows that were booked late: only one that is altogether older ends the history.
            if since is not None and all(not isinstance(row, RejectedRow) and row.date < since for row in page):
                return

    def holdings(self, external_id: str) -> list[HoldingData | RejectedRow]:
        """Return what the account holds now: the one that the key opens."""
        return self.positions()

    # Trading.

    def means(self) -> MeansData:
        """Return the account's means."""
        return _expect(map_means(self._trading.get("means.get", "/v2/account", policy=QUICK)), "means.get")

    def clock(self) -> ClockData:
        """Return Alpaca's clock; `is_open` is the stock market's."""
        return _expect(map_clock(self._trading.get("clock.get", "/v2/clock", policy=QUICK)), "clock.get")

    def assets(self) -> Iterator[AssetData | RejectedRow]:
        """Yield every stock and every pair of coins, active or not."""
        for asset_class in ASSET_CLASSES:
            answer = self._trading.get("assets.list", "/v2/assets", params={"asset_class": asset_class})
            yield from map(map_asset, paging.rows_of(answer, "assets.list"))

    def place_order(self, order: OrderRequest) -> VenueOrder:
        """Place an order, once. A used client id is PERMANENT `duplicate_client_order_id`: look the order up."""
        answer = self._trading.call("orders.place", "POST", "/v2/orders", body=order_body(order), policy=ORDER)
        return _placed(answer, order, "orders.place")

    def replace_order(self, venue_order_id: str, order: OrderRequest) -> VenueOrder:
        """Replace an open order; return the new one. Alpaca may still reject it when the old one fills first."""
        body = replacement_body(order)
        answer = self._trading.call("orders.replace", "PATCH", _order(venue_order_id), body=body, policy=ORDER)
        return _placed(answer, order, "orders.replace")

    def cancel_order(self, venue_order_id: str) -> None:
        """Ask Alpaca to cancel an order; PERMANENT when it can no longer be canceled, or is being replaced."""
        self._trading.call("orders.cancel", "DELETE", _order(venue_order_id), policy=ORDER)

    def find_order(self, client_order_id: str) -> VenueOrder | None:
        """Return the order of a client id, or None when Alpaca says that it knows none."""
        found = self._find_order("/v2/orders:by_client_order_id", {"client_order_id": client_order_id})
        if found is not None and found.client_order_id != client_order_id:
            raise errors.malformed("orders.find")
        return found

    def get_order(self, venue_order_id: str) -> VenueOrder | None:
        """Return an order, or None when Alpaca says that it knows none."""
        found = self._find_order(_order(venue_order_id), None)
        if found is not None and found.venue_order_id != venue_order_id:
            raise errors.malformed("orders.find")
        return found

    def open_orders(self) -> Iterator[VenueOrder]:
        """Yield every open order, oldest first. One that does not map is logged and left out: ask for it by its id."""
        for raw in paging.open_orders(self._trading):
            order = map_order(raw)
            if isinstance(order, RejectedRow):
                _log_refused(order)
            else:
                yield order

    def fills(self, *, since: datetime) -> Iterator[FillData | RejectedRow]:
        """Yield the executions from a little before `since` on, oldest first; a millisecond's may be in any order."""
        yield from map(map_fill, paging.fills_forwards(self._trading, since))

    def positions(self) -> list[HoldingData | RejectedRow]:
        """Return what the account holds now."""
        answer = self._trading.get("positions.list", "/v2/positions", policy=QUICK)
        return [map_position(row) for row in paging.rows_of(answer, "positions.list")]

    # Market data.

    def latest_quotes(self, symbols: Sequence[str]) -> dict[str, QuoteData]:
        """Return the latest quotes; a pair of coins is a symbol with a slash. One that does not map is logged."""
        wanted = sorted(set(symbols))
        stocks, coins = [name for name in wanted if "/" not in name], [name for name in wanted if "/" in name]
        return {**self._quotes(STOCK_QUOTES, stocks), **self._quotes(CRYPTO_QUOTES, coins)}

    def _quotes(self, path: str, symbols: Sequence[str]) -> dict[str, QuoteData]:
        found: dict[str, QuoteData] = {}
        for start in range(0, len(symbols), QUOTES_AT_ONCE):
            batch = symbols[start : start + QUOTES_AT_ONCE]
            answer = self._data.get("quotes.latest", path, params={"symbols": ",".join(batch)}, policy=QUICK)
            rows = answer.get("quotes") if isinstance(answer, dict) else None
            if not isinstance(rows, dict):
                raise errors.malformed("quotes.latest")
            for symbol in rows.keys() & set(batch):
                row = map_quote(symbol, rows[symbol])
                if isinstance(row, RejectedRow):
                    _log_refused(row)
                elif row.bid is not None or row.ask is not None:
                    found[symbol] = row
        return found

    def _find_order(self, path: str, params: Mapping[str, str] | None) -> VenueOrder | None:
        try:
            answer = self._trading.get("orders.find", path, params=params, policy=QUICK)
        except ProviderError as error:
            if error.code == errors.ORDER_NOT_FOUND:
                return None
            if error.status == 404:  # of something else: it says nothing of the order
                raise errors.malformed("orders.find") from error
            raise
        return _expect(map_order(answer), "orders.find")


def _order(venue_order_id: str) -> str:
    return f"/v2/orders/{quote(venue_order_id, safe='')}"


def _expect(mapped: Mapped | RejectedRow, operation: str) -> Mapped:
    if isinstance(mapped, RejectedRow):
        _log_refused(mapped)
        raise errors.malformed(operation)
    return mapped


def _placed(answer: Any, order: OrderRequest, operation: str) -> VenueOrder:
    """Return the answer as the order that was sent; anything else leaves its outcome unknown."""
    placed = map_order(answer)
    if isinstance(placed, RejectedRow):
        _log_refused(placed)
        raise errors.outcome_unknown(operation)
    if placed.client_order_id != order.client_order_id:
        raise errors.outcome_unknown(operation)
    return placed


def _log_refused(row: RejectedRow) -> None:
    logger.warning(
        "provider.row_refused",
        extra={"provider": errors.PROVIDER, "entity": row.entity, "row": row.external_id, "reason": row.reason},
    )
