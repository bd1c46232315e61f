"""Run the sandbox as a process of its own; nothing here needs Django or a database."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.sandbox_process import SandboxProcess

NEW_YORK = ZoneInfo("America/New_York")
Bank = Callable[[str], "BankClient"]
Broker = Callable[[str], "BrokerClient"]


class BankClient(httpx.Client):
    """Speak Teller's API with one enrolment's token, and steer that enrolment."""

    def __init__(self, process: SandboxProcess, token: str) -> None:
        super().__init__(base_url=f"{process.url}/teller", auth=(token, ""), timeout=20, verify=False)
        self.process, self.token = process, token

    def account(self, subtype: str = "checking") -> str:
        """Return the id of the account of this subtype."""
        return next(str(account["id"]) for account in self.get("/accounts").json() if account["subtype"] == subtype)

    def rows(self, account_id: str, **query: Any) -> list[dict[str, Any]]:
        """Return a transaction listing."""
        answer = self.get(f"/accounts/{account_id}/transactions", params=query)
        answer.raise_for_status()
        rows: list[dict[str, Any]] = answer.json()
        return rows

    def steer(self, account_id: str, op: str, **body: Any) -> Any:
        """Steer a transaction; return the row as it is then."""
        body = {"token": self.token, "account_id": account_id, "op": op, **body}
        return self.process.control("POST", "/teller/transactions", **body)["transaction"]

    def state(self) -> dict[str, Any]:
        """Return the complete truth about the enrolment."""
        return self.process.teller_state(self.token)


class BrokerClient(httpx.Client):
    """Speak Alpaca's API with one paper key, and steer that account."""

    def __init__(self, process: SandboxProcess, label: str) -> None:
        found = process.credentials(label)["alpaca"]
        self.key, self.secret = str(found["key_id"]), str(found["secret_key"])
        headers = {"APCA-API-KEY-ID": self.key, "APCA-API-SECRET-KEY": self.secret}
        super().__init__(base_url=f"{process.url}/alpaca", headers=headers, timeout=20, verify=False)
        self.process = process

    def order(self, symbol: str, side: str, qty: str | None = "10", **terms: Any) -> dict[str, Any]:
        """Place an order, a market order for the day unless told otherwise; return it as it was answered."""
        answer = self.post("/v2/orders", json=self.body(symbol, side, qty, **terms))
        assert answer.status_code == 200, answer.text
        placed: dict[str, Any] = answer.json()
        return placed

    def refused(self, symbol: str, side: str, qty: str | None = "10", **terms: Any) -> tuple[int, int, str]:
        """Place an order that is refused; return status, code and message."""
        answer = self.post("/v2/orders", json=self.body(symbol, side, qty, **terms))
        return refusal_of(answer)

    @staticmethod
    def body(symbol: str, side: str, qty: str | None, **terms: Any) -> dict[str, Any]:
        type = terms.pop("type", "limit" if "limit_price" in terms else "market")
        body = {"symbol": symbol, "side": side, "qty": qty, "type": type, "time_in_force": "day", **terms}
        return {name: value for name, value in body.items() if value is not None}

    def read(self, order_id: str) -> dict[str, Any]:
        """Return an order as it is now."""
        found: dict[str, Any] = self.get(f"/v2/orders/{order_id}").json()
        return found

    def wait(self, order_id: str, status: str, *, seconds: float = 10) -> dict[str, Any]:
        """Return an order once it has this status."""
        deadline = time.monotonic() + seconds
        while (found := self.read(order_id))["status"] != status:
            assert time.monotonic() < deadline, found
            time.sleep(0.02)
        return found

    def steer(self, control: str, **body: Any) -> Any:
        """Steer this account's part of the market."""
        return self.process.control("POST", f"/alpaca/{control}", key_id=self.key, **body)

    def price(self, symbol: str, bid: str, ask: str) -> None:
        """Hold a symbol's price; it is the same for every account."""
        self.process.control("POST", "/alpaca/quote", symbol=symbol, bid=bid, ask=ask)

    def state(self) -> dict[str, Any]:
        """Return the complete truth about the account."""
        return self.process.alpaca_state(self.key)


def begin_a_day(process: SandboxProcess) -> None:
    """Advance the sandbox's clock to the morning, when orders for the day have long to live."""
    now = datetime.fromisoformat(process.control("GET", "/health")["virtual_now"]).astimezone(NEW_YORK)
    if not 1 <= now.hour < 12:
        morning = now.replace(hour=8, minute=0) + timedelta(days=now.hour >= 12)
        process.advance((morning - now).total_seconds())


def refusal_of(answer: httpx.Response) -> tuple[int, int, str]:
    """Return status, code and message of a refusal."""
    body = answer.json()
    return answer.status_code, body.get("code"), body.get("message")


class Receiver:
    """Collect webhooks on a loopback port; answers with the statuses in `answers`, then 200."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self._arrived = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver._arrived:
                    receiver.received.append((dict(self.headers), raw))
                    receiver._arrived.notify_all()
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def wait_for(self, count: int, *, seconds: float = 15) -> list[dict[str, Any]]:
        """Return the bodies received once there are `count`."""
        self.wait_until(count, seconds=seconds)
        return [json.loads(raw) for _, raw in self.received]

    def wait_until(self, count: int, *, seconds: float = 15) -> None:
        """Wait until there are `count` bodies, whatever they are."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.received) >= count, seconds), self.received

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@pytest.fixture(scope="session")
def shared_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path_factory.mktemp("sandbox")) as process:
        yield process


@pytest.fixture
def sandbox(shared_sandbox: SandboxProcess) -> SandboxProcess:
    """A sandbox without faults that other tests have used: take a label of your own, and do not move its clock."""
    shared_sandbox.clear_faults()
    return shared_sandbox


@pytest.fixture
def own_sandbox(tmp_path: Path) -> Iterator[SandboxProcess]:
    """A fresh sandbox for a test that moves the clock, restarts or counts."""
    with SandboxProcess(tmp_path / "state") as process:
        yield process


@pytest.fixture
def bank(sandbox: SandboxProcess) -> Iterator[Bank]:
    yield from _clients(sandbox)


@pytest.fixture
def own_bank(own_sandbox: SandboxProcess) -> Iterator[Bank]:
    yield from _clients(own_sandbox)


@pytest.fixture
def broker(sandbox: SandboxProcess) -> Iterator[Broker]:
    yield from _brokers(sandbox)


@pytest.fixture
def own_broker(own_sandbox: SandboxProcess) -> Iterator[Broker]:
    yield from _brokers(own_sandbox)


@pytest.fixture(scope="session")
def still_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path_factory.mktemp("still")) as process:
        process.control("POST", "/clock", running=False)
        yield process


@pytest.fixture
def trader(still_sandbox: SandboxProcess, request: pytest.FixtureRequest) -> Iterator[BrokerClient]:
    """A new account in a market whose clock stands still until the test advances it."""
    still_sandbox.clear_faults()
    still_sandbox.control("POST", "/alpaca/market", open=True, clock_skew_seconds=0)
    still_sandbox.control("DELETE", "/alpaca/execution")
    still_sandbox.control(
        "POST", "/alpaca/quote", symbol="*", release=True, frozen=False, quoteless=False, halted=False
    )
    begin_a_day(still_sandbox)
    for client in _brokers(still_sandbox):
        yield client(request.node.nodeid)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def _clients(process: SandboxProcess) -> Iterator[Bank]:
    opened: list[BankClient] = []

    def open_client(label: str) -> BankClient:
        opened.append(BankClient(process, f"test_tkn_{label}"))
        return opened[-1]

    yield open_client
    for client in opened:
        client.close()


def _brokers(process: SandboxProcess) -> Iterator[Broker]:
    opened: list[BrokerClient] = []

    def open_client(label: str) -> BrokerClient:
        opened.append(BrokerClient(process, label))
        return opened[-1]

    yield open_client
    for client in opened:
        client.close()
