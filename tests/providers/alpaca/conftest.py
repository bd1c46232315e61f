"""A paper account of its own for each test, and an adapter for it."""

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from apps.providers.adapters.alpaca.client import AlpacaAdapter
from apps.providers.adapters.alpaca.hosts import HOSTS
from apps.providers.trading import OrderRequest, VenueOrder
from apps.providers.transport.breaker import line_name, provider_breaker
from tests.sandbox_process import SandboxProcess

Broker = AlpacaAdapter


def order(symbol: str = "AAPL", **changes: Any) -> OrderRequest:
    """Return an order to buy ten at the market, or what the changes make of it."""
    values: dict[str, Any] = {
        "client_order_id": uuid4().hex,
        "symbol": symbol,
        "side": "buy",
        "type": "market",
        "quantity": Decimal(10),
        "limit_price": None,
        "stop_price": None,
        "time_in_force": "day",
    }
    return OrderRequest(**{**values, **changes})


def wait_for(broker: Broker, placed: VenueOrder, status: str) -> VenueOrder:
    """Return the order once the venue shows it in this state."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = broker.get_order(placed.venue_order_id)
        if found is not None and found.status == status:
            return found
        time.sleep(0.02)
    raise AssertionError(f"the order did not become {status}")


@pytest.fixture(autouse=True)
def closed_breakers() -> None:
    """Forget the failures that another test provoked."""
    for host in HOSTS:
        provider_breaker(line_name("alpaca", host)).succeed()


@pytest.fixture
def keys(sandbox: SandboxProcess) -> dict[str, str]:
    """The keys of an account that no other test knows."""
    found: dict[str, str] = sandbox.credentials(uuid4().hex)["alpaca"]
    return found


@pytest.fixture
def open_broker() -> Iterator[Callable[[dict[str, str]], Broker]]:
    opened: list[Broker] = []

    def connect(keys: dict[str, str]) -> Broker:
        opened.append(AlpacaAdapter(keys, uuid4().hex))
        return opened[-1]

    yield connect
    for broker in opened:
        broker.close()


@pytest.fixture
def broker(open_broker: Callable[[dict[str, str]], Broker], keys: dict[str, str]) -> Broker:
    return open_broker(keys)
