"""Alpaca's books survive a restart and a kill at any instant, to the last byte."""

import time
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import Broker, BrokerClient, begin_a_day
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.no_database


def everything(client: BrokerClient) -> dict[str, Any]:
    state = client.state()
    del state["virtual_now"]
    return state


def live(client: BrokerClient) -> None:
    """Leave one order in every state that a test can reach quickly."""
    client.price("AAPL", "99.90", "100.10")
    client.price("KO", "60.00", "60.02")
    client.steer("execution", symbol="KO", parts=3, part_ms=3_600_000)
    client.steer("execution", symbol="MSFT", hold=True, cancel_ms=3_600_000, replace_ms=3_600_000)
    client.order("AAPL", "buy", "5", client_order_id="filled")
    client.order("AAPL", "sell", "2", limit_price="120.00", time_in_force="gtc")
    client.order("KO", "buy", "10")
    pending = [client.order("MSFT", "buy", "1", limit_price="1.00")["id"] for _ in range(2)]
    client.process.advance(1)
    client.delete(f"/v2/orders/{pending[0]}")
    client.patch(f"/v2/orders/{pending[1]}", json={"qty": "2"})
    ended = client.order("SPY", "buy", "1", limit_price="1.00")["id"]
    client.steer("order", order_id=ended, op="expire")
    client.steer("account", cash="500000", shorting_enabled=False)


@pytest.mark.parametrize("kill", [False, True])
def test_a_restart_changes_nothing(own_sandbox: SandboxProcess, own_broker: Broker, kill: bool) -> None:
    own_sandbox.control("POST", "/clock", running=False)
    begin_a_day(own_sandbox)
    client = own_broker("durable")
    live(client)
    before = everything(client)
    states = {row["status"] for row in before["orders"]}
    assert states >= {"filled", "new", "partially_filled", "pending_cancel", "pending_replace", "accepted", "expired"}
    for _ in range(2):
        own_sandbox.stop(kill=kill)
        own_sandbox.start()
        assert everything(client) == before
    own_sandbox.advance(4 * 3_600)
    after = {row["client_order_id"]: row["status"] for row in client.state()["orders"]}
    assert after["filled"] == "filled"
    assert sorted(after.values()) == sorted(["filled", "new", "filled", "canceled", "replaced", "new", "expired"]), (
        "what was due after the restart happened"
    )
    assert client.refused("KO", "buy", "1", client_order_id="filled")[2] == "client_order_id must be unique"
    assert client.refused("GE", "sell", "1")[2] == "account is not allowed to short"


def test_what_fell_due_while_it_was_down_happens_at_the_start(own_sandbox: SandboxProcess, own_broker: Broker) -> None:
    client = own_broker("down")
    client.steer("execution", fill_ms=500)
    order_id = client.order("KO", "buy", "1")["id"]
    own_sandbox.stop(kill=True)
    time.sleep(0.7)
    own_sandbox.start()
    filled = client.read(order_id)
    assert filled["status"] == "filled"
    assert filled["created_at"] < filled["filled_at"]


def test_prices_faults_refusals_and_limits_survive(own_sandbox: SandboxProcess, own_broker: Broker) -> None:
    client = own_broker("controls")
    own_sandbox.control("POST", "/alpaca/quote", symbol="AAPL", price="77.00", age_seconds=60)
    own_sandbox.control("POST", "/alpaca/market", open=False, clock_skew_seconds=5)
    client.steer("refusal", count=2)
    client.steer("rate", limit=500)
    assert client.refused("KO", "buy")[0] == 403
    quote = client.get("/v2/stocks/AAPL/quotes/latest").json()
    own_sandbox.stop(kill=True)
    own_sandbox.start()
    answer = client.get("/v2/stocks/AAPL/quotes/latest")
    assert {**answer.json()["quote"], "as": 0, "bs": 0} == {**quote["quote"], "as": 0, "bs": 0}
    assert answer.headers["X-RateLimit-Limit"] == "500"
    assert client.get("/v2/clock").json()["is_open"] is False
    assert client.refused("KO", "buy")[0] == 403
    assert client.order("KO", "buy")["status"] == "accepted"


def test_prices_are_the_same_for_the_same_seed(own_sandbox: SandboxProcess, own_broker: Broker) -> None:
    client = own_broker("same")
    own_sandbox.control("POST", "/clock", running=False)
    query = {"symbols": "AAPL,MSFT,SPY,KO"}

    def prices() -> dict[str, tuple[float, float]]:
        quotes = client.get("/v2/stocks/quotes/latest", params=query).json()["quotes"]
        return {symbol: (quote["bp"], quote["ap"]) for symbol, quote in quotes.items()}

    before = prices()
    own_sandbox.stop()
    own_sandbox.start()
    assert prices() == before


@pytest.mark.parametrize("bursts", [1, pytest.param(5, marks=pytest.mark.prove)])
def test_kills_amid_a_stream_of_orders_lose_no_answered_order_and_double_none(
    own_sandbox: SandboxProcess, own_broker: Broker, bursts: int
) -> None:
    client = own_broker("storm")
    answered: list[str] = []
    for burst in range(bursts):
        own_sandbox.fault("delay:50", provider="alpaca", match="POST /v2/orders", rate=0.2)
        for number in range(15):
            client_id = f"{burst}-{number}"
            answered.append(client.order("KO", "buy", "1", client_order_id=client_id)["client_order_id"])
        body = client.body("KO", "buy", "1", client_order_id=f"{burst}-unknown")
        with pytest.raises(httpx.TransportError):
            own_sandbox.fault("delay:5000", provider="alpaca", match="POST /v2/orders")
            client.post("/v2/orders", json=body, timeout=0.05)
        own_sandbox.stop(kill=True)
        own_sandbox.start()
        own_sandbox.clear_faults()
    time.sleep(0.5)
    state = client.state()
    ids = [row["client_order_id"] for row in state["orders"]]
    assert len(ids) == len(set(ids))
    assert set(answered) <= set(ids)
    assert {row["status"] for row in state["orders"]} == {"filled"}
    fills = [row for row in state["activities"] if row["activity_type"] == "FILL"]
    assert len(fills) == len({row["order_id"] for row in fills}) == len(ids)
    assert state["positions"][0]["qty"] == str(len(ids))
