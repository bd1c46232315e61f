"""Sending an order again under its key, against reading the same order: one client, one request after the other."""

from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from statistics import quantiles
from time import perf_counter
from uuid import uuid4

import msgspec

from benchmarks.cpu import seconds_of
from benchmarks.orders import KEY, LASTING, Desks, prepare_desks
from benchmarks.platform import process
from benchmarks.result import Result
from finops.embedded import ports, services

ORDERS = 25
ROUNDS = 20
WARM_UP = 2


def replay_benchmark(environment: Mapping[str, str]) -> Iterator[Result]:
    """Measure how long each takes, a round of them in turns, over the same connection."""
    desks, port = prepare_desks(), ports.choose()
    command = services.web({**environment, **LASTING}, port=port)
    ready = f"http://127.0.0.1:{port}/livez"
    with process(list(command.arguments[1:]), command.environment, ready=ready) as server:
        client = Client(port, desks)
        orders = [client.place(number) for number in range(ORDERS)]
        replays, reads, used = list[float](), list[float](), {"replay": 0.0, "GET": 0.0}
        for number in range(WARM_UP + ROUNDS):
            begun = seconds_of(server)
            replayed = [client.replay(key, body) for key, body, _order_id in orders]
            between = seconds_of(server)
            read = [client.read(order_id) for _key, _body, order_id in orders]
            if number >= WARM_UP:
                replays, reads = replays + replayed, reads + read
                used["replay"] += between - begun
                used["GET"] += seconds_of(server) - between
    yield Result(
        name="replay",
        unit="answers/s",
        ours=[1 / took for took in replays],
        peer=[1 / took for took in reads],
        notes=[
            f"replay {_percentiles(replays)}; GET of the same order {_percentiles(reads)}",
            "web server's CPU: "
            + ", ".join(f"{name} {1000 * seconds / len(reads):.2f} ms" for name, seconds in used.items()),
        ],
    )


class Client:
    """One keep-alive connection."""

    def __init__(self, port: int, desks: Desks) -> None:
        self._connection, self._desks = HTTPConnection("127.0.0.1", port), desks
        self._headers = {"Authorization": f"Bearer {desks.secret}", "Content-Type": "application/json"}

    def place(self, number: int) -> tuple[str, bytes, str]:
        """Place an order; return its key, its body and its id."""
        account_id = self._desks.accounts[number % len(self._desks.accounts)]
        order = {"instrument": KEY, "side": "buy", "type": "limit", "quantity": "10", "limit_price": "190.25"}
        key, body = uuid4().hex, msgspec.json.encode({"account_id": account_id, **order})
        _took, status, answer, _replayed = self._send("POST", "/api/v1/orders", body, key)
        assert status == 201, answer
        return key, body, msgspec.json.decode(answer)["id"]

    def replay(self, key: str, body: bytes) -> float:
        """Send an order again; return how many seconds its answer took."""
        took, status, answer, replayed = self._send("POST", "/api/v1/orders", body, key)
        assert (status, replayed) == (201, "true"), answer
        return took

    def read(self, order_id: str) -> float:
        """Read an order; return how many seconds its answer took."""
        took, status, answer, _replayed = self._send("GET", f"/api/v1/orders/{order_id}", None, "")
        assert status == 200, answer
        return took

    def _send(self, method: str, path: str, body: bytes | None, key: str) -> tuple[float, int, bytes, str | None]:
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        started = perf_counter()
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        answer = response.read()
        return perf_counter() - started, response.status, answer, response.headers["Idempotency-Replayed"]


def _percentiles(seconds: list[float]) -> str:
    cuts = quantiles([1000 * value for value in seconds], n=100)
    return f"p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms"
