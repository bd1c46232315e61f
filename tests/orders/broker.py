"""A broker that lives in this process and does exactly what a test tells it to. It comes in as a plug-in does."""

import importlib
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from apps.core import clock
from apps.core.guard import assert_no_transaction
from apps.providers import registry
from apps.providers.enums import Capability, ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.protocols import AdapterSpec, CredentialField
from apps.providers.trading import FillData, HoldingData, OrderRequest, QuoteData, TradeUpdate, VenueOrder

NAME = "scripted"
LOST = ErrorCategory.UNKNOWN_OUTCOME
AWAY = ErrorCategory.RETRYABLE
THROTTLED = ErrorCategory.THROTTLED
REFUSED = ErrorCategory.PERMANENT
UNAUTHORISED = ErrorCategory.AUTH
_CLOSED = ("filled", "canceled", "expired", "replaced", "rejected")


@dataclass(frozen=True)
class Fault:
    """A failure of one call; `performs`: the venue does what it was asked for all the same."""

    error: ProviderError
    performs: bool


@dataclass
class Broker:
    """The venue's truth about one account."""

    orders: dict[str, VenueOrder] = field(default_factory=dict)
    executions: list[FillData] = field(default_factory=list)
    asset_ids: dict[str, str] = field(default_factory=lambda: {"AAPL": f"{NAME}-XNAS:AAPL"})
    quotes: dict[str, QuoteData] = field(default_factory=dict)
    brought_in: dict[str, Decimal] = field(default_factory=dict)  # held without an execution, by symbol
    calls: list[str] = field(default_factory=list)
    on_call: dict[str, Any] = field(default_factory=dict)
    placed_as: dict[str, Any] = field(default_factory=dict)  # terms that the venue gives to what is placed
    _faults: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    _serial: int = 0

    def fail(
        self,
        call: str,
        category: ErrorCategory,
        *,
        code: str = "trouble",
        performs: bool = False,
        times: int = 1,
        retry_after: float | None = None,
    ) -> None:
        """Let the next calls of a method fail."""
        error = ProviderError(
            provider=NAME,
            operation=call,
            category=category,
            code=code,
            message="Scripted trouble.",
            retry_after=retry_after,
        )
        self._faults[call].extend([Fault(error, performs)] * times)

    def enter(self, call: str) -> Fault | None:
        """Note a call; raise what is to fail before anything is done."""
        assert_no_transaction()
        self.calls.append(call)
        if call in self.on_call:
            self.on_call[call]()
        fault = self._faults[call].popleft() if self._faults[call] else None
        if fault is not None and not fault.performs:
            raise fault.error
        return fault

    def place(self, request: OrderRequest, *, replaces: str | None = None) -> VenueOrder:
        """Take an order, once per client id."""
        if any(order.client_order_id == request.client_order_id for order in self.orders.values()):
            raise ProviderError(
                provider=NAME,
                operation="place_order",
                category=REFUSED,
                code="duplicate_client_order_id",
                message="client_order_id must be unique",
            )
        self._serial += 1
        order = VenueOrder(
            venue_order_id=f"v-{self._serial}",
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            side=request.side,
            type=request.type,
            limit_price=request.limit_price,
            stop_price=request.stop_price,
            time_in_force=request.time_in_force,
            status="accepted",
            pending="none",
            venue_status="new",
            quantity=request.quantity,
            filled_quantity=Decimal(0),
            average_fill_price=None,
            replaces=replaces,
            replaced_by=None,
            updated_at=clock.now(),
        )
        self.orders[order.venue_order_id] = order = replace(order, **self.placed_as)
        return order

    def change(self, order: VenueOrder | str, **values: Any) -> VenueOrder:
        """Change an order at the venue and return how the venue shows it now."""
        key = order if isinstance(order, str) else order.venue_order_id
        self.orders[key] = replace(self.orders[key], updated_at=clock.now(), **values)
        return self.orders[key]

    def execute(
        self,
        order: VenueOrder | str,
        quantity: str,
        price: str,
        *,
        side: Any = "buy",
        execution_id: str = "",
        **values: Any,
    ) -> FillData:
        """Execute an order at the venue, in part or in full; the list of executions shows it."""
        shown = self.orders[order if isinstance(order, str) else order.venue_order_id]
        filled = shown.filled_quantity + Decimal(quantity)
        status = "filled" if filled == shown.quantity else "partially_filled"
        changes = {"filled_quantity": filled, "status": status, "venue_status": status, **values}
        shown = self.change(shown, **changes)
        self._serial += 1
        fill = FillData(
            execution_id=execution_id or f"x-{self._serial}",
            venue_order_id=shown.venue_order_id,
            symbol=shown.symbol,
            side=side,
            quantity=Decimal(quantity),
            price=Decimal(price),
            fee=Decimal(0),
            filled_at=clock.now(),
        )
        self.executions.append(fill)
        return fill

    def update(self, event: str, order: VenueOrder | str, fill: FillData | None = None) -> TradeUpdate:
        """Return the stream's message about an order as it is now."""
        shown = self.orders[order if isinstance(order, str) else order.venue_order_id]
        return TradeUpdate(event=event, at=clock.now(), order=shown, fill=fill)

    def holdings(self) -> list[HoldingData]:
        """Return what the account holds."""
        held: dict[str, Decimal] = defaultdict(Decimal, self.brought_in)
        for fill in self.executions:
            held[fill.symbol] += fill.quantity if fill.side == "buy" else -fill.quantity
        return [
            HoldingData(
                symbol=symbol,
                external_id=self.asset_ids.get(symbol, symbol),
                quantity=quantity,
                average_price=Decimal(1),
                market_price=None,
                market_value=None,
                cost_basis=None,
            )
            for symbol, quantity in held.items()
            if quantity
        ]

    def only_order(self) -> VenueOrder:
        """Return the one order that the venue has."""
        (order,) = self.orders.values()
        return order


class BrokerAdapter:
    """What our side sees of the broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None: ...

    def place_order(self, order: OrderRequest) -> VenueOrder:
        fault = self._broker.enter("place_order")
        placed = self._broker.place(order)
        return _answer(fault, placed)

    def replace_order(self, venue_order_id: str, order: OrderRequest) -> VenueOrder:
        fault = self._broker.enter("replace_order")
        original = self._broker.orders[venue_order_id]
        if original.status in _CLOSED:
            raise ProviderError(
                provider=NAME,
                operation="replace_order",
                category=REFUSED,
                code="order_closed",
                message="order is closed",
            )
        placed = self._broker.place(order, replaces=venue_order_id)
        self._broker.change(venue_order_id, status="replaced", replaced_by=placed.venue_order_id)
        return _answer(fault, placed)

    def cancel_order(self, venue_order_id: str) -> None:
        fault = self._broker.enter("cancel_order")
        if self._broker.orders[venue_order_id].status in _CLOSED:
            raise ProviderError(
                provider=NAME,
                operation="cancel_order",
                category=REFUSED,
                code="order_closed",
                message="order is closed",
            )
        self._broker.change(venue_order_id, pending="cancel", venue_status="pending_cancel")
        _answer(fault, None)

    def find_order(self, client_order_id: str) -> VenueOrder | None:
        self._broker.enter("find_order")
        found = [order for order in self._broker.orders.values() if order.client_order_id == client_order_id]
        return found[0] if found else None

    def get_order(self, venue_order_id: str) -> VenueOrder | None:
        self._broker.enter("get_order")
        return self._broker.orders.get(venue_order_id)

    def open_orders(self) -> Iterator[VenueOrder]:
        self._broker.enter("open_orders")
        yield from [order for order in self._broker.orders.values() if order.status not in _CLOSED]

    def fills(self, *, since: datetime) -> Iterator[FillData]:
        self._broker.enter("fills")
        yield from [fill for fill in self._broker.executions if fill.filled_at >= since]

    def latest_quotes(self, symbols: Sequence[str]) -> dict[str, QuoteData]:
        self._broker.enter("latest_quotes")
        return {symbol: self._broker.quotes[symbol] for symbol in symbols if symbol in self._broker.quotes}

    def positions(self) -> list[HoldingData]:
        self._broker.enter("positions")
        return self._broker.holdings()


def _answer(fault: Fault | None, value: Any) -> Any:
    if fault is not None:
        raise fault.error
    return value


THE_BROKER = Broker()


def _connect(_credentials: Mapping[str, str], _key: str) -> BrokerAdapter:
    return BrokerAdapter(THE_BROKER)


SPEC = AdapterSpec(
    name=NAME,
    title="Scripted broker",
    capabilities=frozenset({Capability.BROKERAGE, Capability.MARKET_DATA}),
    limits=(),
    credentials=(CredentialField(name="key", title="Key"),),
    connect=_connect,
    enrollment_of=lambda _credentials: "",
)


@contextmanager
def plugged_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """Install the broker, empty, as pip would, for as long as the block runs."""
    info = folder / "finops_scripted-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: finops_scripted\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[finops.providers]\n{NAME} = tests.orders.broker:SPEC\n")
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    registry.registrations.cache_clear()
    vars(THE_BROKER).update(vars(Broker()))
    yield THE_BROKER
    registry.registrations.cache_clear()
