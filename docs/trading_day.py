"""A short trading day for the pictures: two tenants' orders at the running platform, heard by two receivers.

Everything goes through the API with the demo's keys. One receiver answers well, the other refuses every third request.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import httpx

# (instrument, side, type, quantity, limit as a share of the market price)
ORDERS = [
    ("XNAS:MSFT", "buy", "limit", "25", "1.01"),
    ("XNAS:NVDA", "buy", "market", "40", ""),
    ("XNAS:AAPL", "buy", "limit", "15", "0.90"),
    ("XNAS:AAPL", "sell", "limit", "2000", "0.99"),
    ("XNAS:MSFT", "sell", "market", "10", ""),
    ("XNAS:AAPL", "buy", "market", "12", ""),
    ("XNAS:NVDA", "buy", "limit", "100000", "1.00"),
    ("XNAS:NVDA", "sell", "limit", "15", "0.995"),
    ("CRYPTO:BTC-USD", "buy", "limit", "0.02", "1.01"),
    ("XNAS:MSFT", "buy", "limit", "30", "0.97"),
]
_SECONDS_BETWEEN = 1.5


class Receiver(BaseHTTPRequestHandler):
    """A client's server: under /orders it takes everything, under /erp two of three."""

    seen = 0

    def do_POST(self) -> None:
        """Take a webhook, or say why not."""
        self.rfile.read(int(self.headers["content-length"]))
        Receiver.seen += 1
        is_refused = self.path == "/erp" and Receiver.seen % 3 == 0
        body = b'{"error": "ledger is being closed, try again"}' if is_refused else b'{"received": true}'
        self.send_response(503 if is_refused else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing on the terminal."""


@contextmanager
def receivers() -> Iterator[str]:
    """Listen on a free port of this machine; return the URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Client:
    """One tenant's client of the API."""

    def __init__(self, base: str, key: str) -> None:
        self._http = httpx.Client(base_url=f"{base}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=20)

    def get(self, path: str) -> Any:
        """Return what a path answers."""
        return self._http.get(path).raise_for_status().json()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Post something once; return the answer."""
        answer = self._http.post(path, json=body, headers={"Idempotency-Key": str(uuid4())})
        return answer.raise_for_status().json()

    def account(self) -> str:
        """Return the id of the tenant's brokerage account."""
        return next(str(item["id"]) for item in self.get("/accounts")["data"] if item["kind"] == "brokerage")

    def price(self, instrument: str) -> Decimal:
        """Return what an instrument can be bought at."""
        return Decimal(self.get(f"/quotes/{instrument}")["ask"])


def _order(client: Client, account: str, index: int) -> None:
    instrument, side, kind, quantity, share = ORDERS[index % len(ORDERS)]
    step = Decimal("0.01")
    limit = str((client.price(instrument) * Decimal(share)).quantize(step)) if share else None
    client.post(
        "/orders",
        {
            "account_id": account,
            "instrument": instrument,
            "side": side,
            "type": kind,
            "quantity": quantity,
            "limit_price": limit,
            "time_in_force": "gtc" if instrument.startswith("CRYPTO") else "day",
            "client_order_id": f"rebalance-{uuid4().hex[:8]}",
        },
    )


def trade(content: dict[str, Any], receiver: str, *, orders: int = 20) -> None:
    """Place orders for both tenants, and have their events delivered."""
    clients = [Client(content["base_url"], tenant["api_key"]) for tenant in content["tenants"]]
    accounts = [client.account() for client in clients]
    for client, path, types in zip(clients, ("/orders", "/erp"), (["order.*"], []), strict=True):
        client.post(
            "/webhooks/endpoints",
            {"url": f"{receiver}{path}", "event_types": types, "description": path.strip("/").title()},
        )
    for index in range(orders):
        which = (index * 2 // 3) % 2
        _order(clients[which], accounts[which], index)
        time.sleep(_SECONDS_BETWEEN)
