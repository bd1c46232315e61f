"""The stream of trade updates, on the wire."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.sandbox.conftest import Broker, BrokerClient
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.no_database

Tap = Callable[[BrokerClient], "Listener"]


class Listener:
    """One connection to the stream."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def ask(self, **message: Any) -> dict[str, Any]:
        self.socket.send(json.dumps(message))
        return self.next()

    def next(self, seconds: float = 10) -> dict[str, Any]:
        frame = self.socket.recv(timeout=seconds)
        assert isinstance(frame, bytes), "Alpaca's paper host sends binary frames"
        message: dict[str, Any] = json.loads(frame)
        return message

    def events(self, count: int) -> list[tuple[str, str]]:
        """Return event and the order's status of the next messages."""
        messages = [self.next()["data"] for _ in range(count)]
        return [(data["event"], data["order"]["status"]) for data in messages]

    def is_silent(self, seconds: float = 0.3) -> bool:
        try:
            self.next(seconds)
        except TimeoutError:
            return True
        return False


def open_stream(process: SandboxProcess) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{process.port}/alpaca/stream", open_timeout=10)


@pytest.fixture
def tap() -> Iterator[Tap]:
    with contextlib.ExitStack() as stack:

        def listen(client: BrokerClient) -> Listener:
            listener = Listener(stack.enter_context(open_stream(client.process)))
            keys = {"key_id": client.key, "secret_key": client.secret}
            answer = listener.ask(action="authenticate", data=keys)
            assert answer == {
                "stream": "authorization",
                "data": {"status": "authorized", "action": "authenticate"},
            }
            answer = listener.ask(action="listen", data={"streams": ["trade_updates"]})
            assert answer == {"stream": "listening", "data": {"streams": ["trade_updates"]}}
            return listener

        yield listen


def test_an_order_is_followed_from_placing_to_its_fill(trader: BrokerClient, tap: Tap) -> None:
    trader.price("AAPL", "99.90", "100.10")
    listener = tap(trader)
    order_id = trader.order("AAPL", "buy")["id"]
    trader.process.advance(1)
    pending, new, fill = (listener.next() for _ in range(3))
    assert [message["stream"] for message in (pending, new, fill)] == ["trade_updates"] * 3
    assert set(new["data"]) == {"event", "execution_id", "order", "timestamp"}
    assert (pending["data"]["event"], new["data"]["event"]) == ("pending_new", "new")
    data = fill["data"]
    assert set(data) == {"event", "execution_id", "order", "timestamp", "price", "qty", "position_qty"}
    assert (data["event"], data["price"], data["qty"], data["position_qty"]) == ("fill", "100.1", "10", "10")
    assert data["order"] == trader.read(order_id)
    assert data["timestamp"] == data["order"]["filled_at"]
    (activity,) = trader.get("/v2/account/activities/FILL").json()
    assert activity["id"].partition("::")[2] == data["execution_id"]


def test_every_change_is_told_in_order(trader: BrokerClient, tap: Tap) -> None:
    trader.price("AAPL", "99.90", "100.10")
    listener = tap(trader)
    old_id = trader.order("AAPL", "buy", limit_price="90.00")["id"]
    trader.process.advance(1)
    successor_id = trader.patch(f"/v2/orders/{old_id}", json={"limit_price": "91.00"}).json()["id"]
    trader.process.advance(1)
    trader.delete(f"/v2/orders/{successor_id}")
    trader.process.advance(1)
    assert listener.events(7) == [
        ("pending_new", "pending_new"),
        ("new", "new"),
        ("pending_replace", "pending_replace"),
        ("replaced", "replaced"),
        ("new", "new"),
        ("pending_cancel", "pending_cancel"),
        ("canceled", "canceled"),
    ]
    assert listener.is_silent()


def test_parts_tell_each_its_own_quantity(trader: BrokerClient, tap: Tap) -> None:
    trader.price("AAPL", "100.00", "100.00")
    trader.steer("execution", parts=3, part_ms=100)
    listener = tap(trader)
    trader.order("AAPL", "buy", "10")
    trader.process.advance(5)
    fills = [data for data in (listener.next()["data"] for _ in range(5)) if "qty" in data]
    assert [(data["event"], data["qty"], data["position_qty"]) for data in fills] == [
        ("partial_fill", "3", "3"),
        ("partial_fill", "3", "6"),
        ("fill", "4", "10"),
    ]
    assert [data["order"]["filled_qty"] for data in fills] == ["3", "6", "10"]
    assert len({data["execution_id"] for data in fills}) == 3


def test_lost_races_are_told(trader: BrokerClient, tap: Tap) -> None:
    trader.price("AAPL", "99.90", "100.10")
    trader.steer("execution", cancel_ms=60_000, replace_ms=60_000)
    orders = [trader.order("AAPL", "buy", limit_price="90.00")["id"] for _ in range(2)]
    trader.process.advance(1)
    listener = tap(trader)
    trader.delete(f"/v2/orders/{orders[0]}")
    trader.patch(f"/v2/orders/{orders[1]}", json={"qty": "20"})
    assert listener.events(2) == [("pending_cancel", "pending_cancel"), ("pending_replace", "pending_replace")]
    trader.price("AAPL", "89.90", "90.00")
    assert listener.events(5) == [
        ("fill", "filled"),
        ("order_cancel_rejected", "filled"),
        ("fill", "filled"),
        ("order_replace_rejected", "filled"),
        ("rejected", "rejected"),
    ]


def test_ends_are_told(trader: BrokerClient, tap: Tap) -> None:
    orders = [trader.order("AAPL", "buy", limit_price="1.00")["id"] for _ in range(3)]
    trader.process.advance(1)
    listener = tap(trader)
    for order_id, op in zip(orders, ("expire", "reject", "done_for_day"), strict=True):
        trader.steer("order", order_id=order_id, op=op)
    assert listener.events(3) == [("expired",) * 2, ("rejected",) * 2, ("done_for_day",) * 2]


def test_a_closed_market_tells_accepted(trader: BrokerClient, tap: Tap) -> None:
    trader.process.control("POST", "/alpaca/market", open=False)
    listener = tap(trader)
    trader.order("AAPL", "buy")
    assert listener.events(1) == [("accepted", "accepted")]


def test_only_the_accounts_own_orders_are_told(broker: Broker, tap: Tap) -> None:
    mine, theirs = broker("stream-mine"), broker("stream-theirs")
    listener = tap(mine)
    theirs.order("KO", "buy", "1")
    assert listener.is_silent()
    mine.order("KO", "buy", "1")
    assert listener.events(1) == [("pending_new", "pending_new")]


def test_all_connections_of_a_key_hear_the_same(trader: BrokerClient, tap: Tap) -> None:
    listeners = [tap(trader) for _ in range(3)]
    trader.order("KO", "buy", "1")
    frames = {json.dumps(listener.next()) for listener in listeners}
    assert len(frames) == 1


def test_nothing_is_replayed(trader: BrokerClient, tap: Tap) -> None:
    trader.order("KO", "buy", "1")
    trader.process.advance(1)
    assert tap(trader).is_silent()


def test_wrong_keys_are_unauthorized_and_hear_nothing(trader: BrokerClient) -> None:
    with open_stream(trader.process) as socket:
        listener = Listener(socket)
        answer = listener.ask(action="authenticate", data={"key_id": trader.key, "secret_key": "wrong"})
        assert answer == {
            "stream": "authorization",
            "data": {"status": "unauthorized", "action": "authenticate"},
        }
        answer = listener.ask(action="listen", data={"streams": ["trade_updates"]})
        assert answer["data"] == {"status": "unauthorized", "action": "listen"}
        trader.order("KO", "buy", "1")
        assert listener.is_silent()


def test_the_newer_form_of_authentication_works_and_frames_may_be_binary(trader: BrokerClient) -> None:
    with open_stream(trader.process) as socket:
        listener = Listener(socket)
        socket.send(json.dumps({"action": "auth", "key": trader.key, "secret": trader.secret}).encode())
        assert listener.next()["data"] == {"status": "authorized", "action": "auth"}


@pytest.mark.parametrize(
    "frame", ["{", "[]", "7", '"x"', "{}", '{"action": "dance"}', '{"action": "listen", "data": 3}']
)
def test_what_makes_no_sense_is_answered_and_the_connection_stays(trader: BrokerClient, frame: str) -> None:
    with open_stream(trader.process) as socket:
        listener = Listener(socket)
        socket.send(frame)
        assert listener.next()["stream"] in ("error", "authorization")
        keys = {"key_id": trader.key, "secret_key": trader.secret}
        assert listener.ask(action="authenticate", data=keys)["data"]["status"] == "authorized"


def test_unknown_streams_are_named(trader: BrokerClient, tap: Tap) -> None:
    answer = tap(trader).ask(action="listen", data={"streams": ["trade_updates", "gossip"]})
    assert answer["data"] == {"streams": ["trade_updates"], "error": "unknown streams: gossip"}


def test_a_listener_can_stop_listening(trader: BrokerClient, tap: Tap) -> None:
    listener = tap(trader)
    assert listener.ask(action="listen", data={"streams": []})["data"] == {"streams": []}
    trader.order("KO", "buy", "1")
    assert listener.is_silent()


def test_connections_can_be_cut_and_what_happens_meanwhile_is_lost(trader: BrokerClient, tap: Tap) -> None:
    listener = tap(trader)
    assert trader.process.alpaca_listeners(trader.key) == 1
    assert trader.process.cut_alpaca_streams(trader.key) == 1
    with pytest.raises(ConnectionClosed):
        listener.next()
    trader.order("KO", "buy", "1")
    again = tap(trader)
    assert again.is_silent()
    trader.process.advance(1)
    assert again.events(2) == [("new", "new"), ("fill", "filled")]


def test_a_stopping_sandbox_says_goodbye(own_sandbox: SandboxProcess, own_broker: Broker, tap: Tap) -> None:
    listener = tap(own_broker("goodbye"))
    own_sandbox.stop()
    with pytest.raises(ConnectionClosed) as closed:
        listener.next()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


class TestFaults:
    """Faults on messages."""

    LINE = "STREAM trade_updates"

    def test_drop_loses_a_message(self, trader: BrokerClient, tap: Tap) -> None:
        listener = tap(trader)
        trader.process.fault("drop_response", provider="alpaca", match=self.LINE, count=1)
        trader.order("KO", "buy", "1")
        trader.process.advance(1)
        assert listener.events(2) == [("new", "new"), ("fill", "filled")]

    def test_one_kind_of_event_can_be_lost(self, trader: BrokerClient, tap: Tap) -> None:
        listener = tap(trader)
        trader.process.fault("drop_response", provider="alpaca", match=f"{self.LINE} fill")
        trader.order("KO", "buy", "1")
        trader.process.advance(1)
        assert listener.events(2) == [("pending_new", "pending_new"), ("new", "new")]
        assert listener.is_silent()

    def test_duplicate_sends_twice(self, trader: BrokerClient, tap: Tap) -> None:
        listener = tap(trader)
        trader.process.fault("duplicate", provider="alpaca", match=f"{self.LINE} fill KO")
        trader.order("KO", "buy", "1")
        trader.process.advance(1)
        messages = [listener.next() for _ in range(4)]
        assert messages[2] == messages[3]
        assert messages[3]["data"]["event"] == "fill"

    def test_reorder_lets_the_next_message_go_first(self, trader: BrokerClient, tap: Tap) -> None:
        listener = tap(trader)
        trader.process.fault("reorder", provider="alpaca", match=f"{self.LINE} new", count=1)
        trader.order("KO", "buy", "1")
        trader.process.advance(1)
        assert [event for event, _ in listener.events(3)] == ["pending_new", "fill", "new"]

    def test_reorder_of_the_last_message_only_makes_it_late(self, trader: BrokerClient, tap: Tap) -> None:
        listener = tap(trader)
        trader.process.fault("reorder", provider="alpaca", match=f"{self.LINE} fill", count=1)
        trader.order("KO", "buy", "1")
        trader.process.advance(1)
        assert [event for event, _ in listener.events(3)] == ["pending_new", "new", "fill"]

    def test_delay_lets_later_messages_overtake(self, trader: BrokerClient, tap: Tap) -> None:
        listener = tap(trader)
        trader.process.fault("delay:400", provider="alpaca", match=f"{self.LINE} pending_new")
        trader.order("KO", "buy", "1")
        trader.process.advance(1)
        assert [event for event, _ in listener.events(3)] == ["new", "fill", "pending_new"]

    def test_malformed_cuts_a_message_in_half(self, trader: BrokerClient, tap: Tap) -> None:
        listener = tap(trader)
        trader.process.fault("malformed", provider="alpaca", match=self.LINE, count=1)
        trader.order("KO", "buy", "1")
        with pytest.raises(json.JSONDecodeError):
            listener.next()

    def test_faults_that_are_not_for_messages_leave_them_alone(self, trader: BrokerClient, tap: Tap) -> None:
        listener = tap(trader)
        trader.process.fault("drop_response", provider="alpaca", match="GET /v2/clock", count=1)
        trader.process.fault("duplicate", provider="alpaca")
        trader.process.fault("status:503", provider="alpaca", match=self.LINE)
        trader.order("KO", "buy", "1")
        trader.process.advance(1)
        assert [event for event, _ in listener.events(3)] == ["pending_new", "new", "fill"]
        assert listener.is_silent()

    @pytest.mark.parametrize(("kind", "status"), [("status:503", 503), ("throttle", 429)])
    def test_a_connection_can_be_refused(self, trader: BrokerClient, tap: Tap, kind: str, status: int) -> None:
        trader.process.fault(kind, provider="alpaca", match="GET /stream", count=1)
        with pytest.raises(InvalidStatus) as refused:
            open_stream(trader.process)
        assert refused.value.response.status_code == status
        assert trader.process.log("alpaca")[-1]["path"] == "/stream"
        assert tap(trader).is_silent(0.1)

    def test_a_message_that_nobody_hears_uses_up_no_fault(self, trader: BrokerClient, tap: Tap) -> None:
        trader.process.fault("drop_response", provider="alpaca", match=self.LINE, count=1)
        trader.order("KO", "buy", "1")
        assert len(trader.process.control("GET", "/faults")["data"]) == 1
