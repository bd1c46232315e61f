"""Run the sandbox as a process of its own; nothing here needs Django or a database."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sandbox_process import SandboxProcess

Bank = Callable[[str], "BankClient"]


class BankClient(httpx.Client):
    """Speak Teller's API with one enrolment's token, and steer that enrolment."""

    def __init__(self, process: SandboxProcess, token: str) -> None:
        super().__init__(base_url=f"{process.url}/teller", auth=(token, ""), timeout=20)
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
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.received) >= count, seconds), self.received
            return [json.loads(raw) for _, raw in self.received]

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
