"""The whole platform under kills and faults: afterwards client, platform and venue tell the same story."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from finops.embedded.ports import choose
from tests.embedded.test_platform import READY, RunningPlatform
from tests.embedded.test_run import environment_of
from tests.orders.storm.chaos import Chaos, Client

pytestmark = [pytest.mark.no_database, pytest.mark.prove]

SECONDS = 90
TRADERS = 3
# One side each: the venue refuses to trade an account with itself, and a refusal whose answer is lost leaves nothing to
# be found: such an order waits for a person.
SIDES = {"AAPL": "buy", "MSFT": "sell", "NVDA": "buy"}
QUIET_SECONDS = 240
OURS = {"new": "accepted", "pending_new": "accepted", "pending_cancel": "accepted"}


@pytest.fixture
def home_path() -> Iterator[Path]:
    """A folder that the engines' user can enter: pytest's own are closed to everyone but their owner."""
    path = Path(tempfile.mkdtemp(prefix="finops-storm-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@contextmanager
def running(home: Path) -> Iterator[RunningPlatform]:
    """Run a whole platform while the block runs."""
    platform = RunningPlatform(home, port=choose(), sandbox_port=choose())
    try:
        assert platform.says(READY, seconds=240), "".join(platform.said[-40:])
        yield platform
    finally:
        if platform.process.poll() is None:
            platform.end(signal.SIGTERM)


class Trader(threading.Thread):
    """Posts orders and cancels some, and remembers every answer."""

    def __init__(self, client: Client, account: str, prices: dict[str, Decimal], *, seed: int) -> None:
        super().__init__(daemon=True)
        self._client, self._account, self._prices = client, account, prices
        self._random = random.Random(seed)
        self.stopping = threading.Event()
        self.orders: dict[str, dict[str, Any]] = {}
        self.retries = 0

    def run(self) -> None:
        while not self.stopping.is_set():
            key = uuid4().hex
            answer, tries = self._client.post("/orders", self._order(), key=key)
            self.retries += tries - 1
            assert answer.status_code == 201, answer.text
            self.orders[key] = answer.json()
            if self._random.random() < 0.3:
                self._client.post(f"/orders/{answer.json()['id']}/cancel", {})
            time.sleep(self._random.uniform(0.05, 0.4))

    def _order(self) -> dict[str, Any]:
        symbol, side = self._random.choice(list(SIDES.items()))
        order = {
            "account_id": self._account,
            "instrument": f"XNAS:{symbol}",
            "side": side,
            "quantity": str(self._random.randint(2, 5)),
            "time_in_force": "day",
        }
        if self._random.random() < 0.6:
            return {**order, "type": "market"}
        away = Decimal("0.8") if side == "buy" else Decimal("1.25")  # it waits until it is canceled, or for ever
        return {**order, "type": "limit", "limit_price": str((self._prices[symbol] * away).quantize(Decimal("0.01")))}


class Verifier(threading.Thread):
    """Runs `manage.py verify` again and again while everything is being killed: it must find nothing, ever."""

    def __init__(self, home: Path) -> None:
        super().__init__(daemon=True)
        self._environment = environment_of(home)
        self.stopping = threading.Event()
        self.looked_at: list[int] = []
        self.found: list[str] = []

    def run(self) -> None:
        while not self.stopping.is_set():
            self.verify()

    def verify(self) -> None:
        """Run it once; a database that is down at that moment proves nothing, and finds nothing either."""
        command = [sys.executable, "-m", "finops", "manage", "verify", "--json"]
        ended = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False, timeout=120)
        if not ended.stdout.startswith("{"):
            return
        checks = json.loads(ended.stdout)["checks"]
        self.looked_at.append(sum(check["looked_at"] for check in checks))
        self.found += [f"{check['name']}: {finding}" for check in checks for finding in check["findings"]]


class Story:
    """What the platform says and what the venue says."""

    def __init__(self, client: Client, sandbox_url: str, key_id: str) -> None:
        self.client, self._url, self._key_id = client, sandbox_url, key_id
        self.waiting: set[str] = set()

    def venue(self) -> dict[str, Any]:
        state = httpx.get(f"{self._url}/_control/alpaca/state", params={"key_id": self._key_id}, timeout=10)
        found: dict[str, Any] = state.raise_for_status().json()
        return found

    def differences(self) -> list[str]:
        """Return what is not settled, or is told in two ways; `waiting` are then the orders that wait for a person."""
        self.waiting.clear()
        ours = {order["client_order_id"]: order for order in self.client.all("/orders")}
        venue = self.venue()
        theirs = {order["client_order_id"]: order for order in venue["orders"]}
        assert len(theirs) == len(venue["orders"]), "an order is at the venue twice"
        found = [f"{key}: unknown to us" for key in theirs.keys() - ours.keys()]
        for key, order in ours.items():
            told = _compare(order, theirs.get(key))
            if told and key not in theirs and self.waits_for_a_person(order):
                self.waiting.add(key)
            else:
                found += [f"{key}: {text}" for text in told]
        return found

    def life_of(self, client_order_id: str) -> list[str]:
        """Return what we and the venue wrote down about an order, by time."""
        found = [row for row in self.client.all("/orders") if row["client_order_id"] == client_order_id]
        events = [event for order in found for event in self.client.all(f"/orders/{order['id']}/events")]
        lines = [f"{event['at']} {event['type']} {event['data'].get('reason', '')}" for event in events]
        log = httpx.get(f"{self._url}/_control/log", params={"provider": "alpaca"}, timeout=30).raise_for_status()
        for entry in log.json()["data"]:
            if client_order_id in json.dumps([entry["request"], entry["query"]]):
                lines.append(
                    f"{entry['at']} {entry['method']} {entry['path']} {entry['status']} {entry['fault'] or ''}"
                )
        return sorted(lines)

    def waits_for_a_person(self, order: dict[str, Any]) -> bool:
        """Tell whether a router died before it had sent an order that was then canceled (docs/adr/0009).

        It must not be sent any more, and only a second send would prove that there was no first.
        """
        is_left = (order["status"], order["pending"]) == ("unknown", "cancel")
        return is_left and not any(" POST " in line for line in self.life_of(order["client_order_id"]))


def _compare(order: dict[str, Any], theirs: dict[str, Any] | None) -> list[str]:
    if theirs is None:
        # What the venue refuses at once (a wash trade, too little money) it does not keep.
        never_was = order["status"] in ("denied", "rejected")
        return [] if never_was else [f"{order['status']} and not at the venue"]
    told = OURS.get(theirs["status"], theirs["status"])
    if told == "accepted" and Decimal(theirs["filled_qty"]):
        told = "partially_filled"
    pairs = {
        "status": (order["status"], told),
        "filled": (Decimal(order["filled_quantity"]), Decimal(theirs["filled_qty"])),
        "pending": (order["pending"], "cancel" if theirs["status"] == "pending_cancel" else "none"),
    }
    return [f"{name}: {ours} here, {venue} there" for name, (ours, venue) in pairs.items() if ours != venue]


def test_client_platform_and_venue_tell_the_same_story(home_path: Path) -> None:
    seed = int(os.environ.get("FINOPS_STORM_SEED", random.SystemRandom().randint(1, 10**6)))
    say(f"FINOPS_STORM_SEED={seed}")
    with running(home_path) as platform, ExitStack() as clients:
        demo = json.loads((home_path / "demo.json").read_text())

        def connect() -> Client:
            return clients.enter_context(Client(demo["base_url"], demo["tenants"][0]["api_key"]))

        client = connect()
        account, key_id = prepare(demo, client)
        prices = {name: Decimal(client.get(f"/quotes/XNAS:{name}")["ask"]) for name in SIDES}
        traders = [Trader(connect(), account, prices, seed=seed + number) for number in range(TRADERS)]
        for trader in traders:
            trader.start()
        verifier = Verifier(home_path)
        verifier.start()
        chaos = Chaos(platform, demo["sandbox_url"], seed=seed)
        chaos.rage(seconds=SECONDS)
        for trader in traders:
            trader.stopping.set()
        for trader in traders:
            trader.join(120)
            assert not trader.is_alive()
        story = Story(client, demo["sandbox_url"], key_id)
        await_quiet(story, chaos)
        told = {key: order for trader in traders for key, order in trader.orders.items()}
        verify(story, told, client)
        ends = [(row["status"], (row["denial"] or {}).get("code", "")) for row in client.all("/orders")]
        say(f"{Counter(ends)}, {len(story.waiting)} of them wait for a person")
        verifier.stopping.set()
        verifier.join(180)
        verifier.verify()
        say(f"verified {len(verifier.looked_at)} times, {verifier.looked_at[-1]} things at last")
        assert verifier.found == []
        assert len(verifier.looked_at) > 2
        say(f"{len(told)} orders, {sum(trader.retries for trader in traders)} retries, {Counter(chaos.told)}")


def say(text: str) -> None:
    """Write to where pytest keeps what a failed test said, and shows it with -s."""
    sys.stdout.write(f"{text}\n")


def prepare(demo: dict[str, Any], client: Client) -> tuple[str, str]:
    """Wait for the first sync; let the account trade as it likes, in parts of an order."""
    deadline = time.monotonic() + 60
    while not (found := [row for row in client.get("/accounts")["data"] if row["kind"] == "brokerage"]):
        assert time.monotonic() < deadline, "the broker's account did not come"
        time.sleep(0.5)
    account = found[0]["id"]
    limits = {
        "max_open_trades": 100,
        "max_position_value": "1000000",
        "max_concentration": "1",
        "max_orders_per_minute": 10_000,
    }
    client.put(f"/risk/limits/{account}", limits)
    credentials = httpx.get(
        f"{demo['sandbox_url']}/_control/credentials", verify=False, params={"label": "acme"}
    ).json()
    key_id = credentials["alpaca"]["key_id"]
    httpx.post(
        f"{demo['sandbox_url']}/_control/alpaca/execution", json={"key_id": key_id, "parts": 2, "part_ms": 300}
    ).raise_for_status()
    return account, key_id


def await_quiet(story: Story, chaos: Chaos) -> None:
    """Wait until nothing is under way any more and both sides agree."""
    deadline = time.monotonic() + QUIET_SECONDS
    while differences := story.differences():
        if time.monotonic() > deadline:
            lives = [line for text in differences[:5] for line in story.life_of(text.partition(":")[0])]
            raise AssertionError("\n".join([*differences[:20], *lives, *chaos.told]))
        time.sleep(1)


def verify(story: Story, told: dict[str, dict[str, Any]], client: Client) -> None:
    """Compare what clients were told, what we hold, and what the venue holds, to the last execution."""
    orders = {order["id"]: order for order in client.all("/orders")}
    assert {order["id"] for order in told.values()} == orders.keys()
    assert len(told) == len(orders), "one key made two orders, or none"
    venue = story.venue()
    fills = list(client.all("/fills"))
    theirs = {row["id"].partition("::")[2] for row in venue["activities"] if row["activity_type"] == "FILL"}
    mine = [row["venue_execution_id"] for row in fills]
    assert len(mine) == len(set(mine))
    assert set(mine) <= theirs
    held = {row["instrument"].partition(":")[2]: Decimal(row["quantity"]) for row in client.all("/positions")}
    shown = {row["symbol"]: Decimal(row["qty"]) for row in venue["positions"]}
    assert {symbol: quantity for symbol, quantity in held.items() if quantity} == shown
    for order in orders.values():
        # An order that rests may have been filled further since the list was read.
        events = list(client.all(f"/orders/{order['id']}/events"))
        assert len(events) <= client.get(f"/orders/{order['id']}")["version"]
        happened = [event for event in events if event["sequence"] <= order["version"]]
        assert sorted(event["sequence"] for event in happened) == list(range(1, order["version"] + 1))
        executed = sum((Decimal(e["data"]["fill"]["quantity"]) for e in happened if "fill" in e["data"]), Decimal(0))
        assert executed == Decimal(order["filled_quantity"])
