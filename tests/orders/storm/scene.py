"""What the kill tests share: a desk at the sandbox, the database seen from outside, locks that hold a worker up."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, LiteralString

import psycopg

from apps.core import clock
from apps.core.scope import tenant_scope
from apps.jobs.runner import sweep
from apps.orders.models import Order
from apps.orders.tasks import pull_one
from tests.databases import log_in
from tests.forks import Forks, run_dry
from tests.orders.floor import Floor
from tests.sandbox_process import SandboxProcess
from tests.waiting import wait_until


def pull(database: str, tenant_id: str, risk_account_id: str) -> None:
    """Read an account from its venue, as a worker does."""
    log_in("worker", database)
    pull_one(tenant_id, risk_account_id)


# What is to be caught lasts for milliseconds.
wait_for = partial(wait_until, pause=0.004)


@dataclass(frozen=True)
class Scene:
    """One account at the sandbox's Alpaca, and workers to kill."""

    desk: Floor
    sandbox: SandboxProcess
    key_id: str
    forks: Forks
    database: str
    owner: psycopg.Connection[Any]
    blocker: psycopg.Connection[Any]

    def start_worker(self) -> int:
        """Start a worker, which runs the orders' queue dry; return its pid."""
        return self.forks.start(run_dry, self.database, "orders")

    def work(self) -> None:
        """Have a worker run the orders' queue dry."""
        assert self.forks.wait(self.start_worker()) == 0

    def kill(self, pid: int) -> None:
        """Kill a worker."""
        assert self.forks.kill(pid) == -signal.SIGKILL, "it had ended by itself"

    def number(self, query: LiteralString, *values: Any) -> int:
        """Return a number that the owner of the database sees."""
        found = self.owner.execute(query, values).fetchone()
        assert found is not None
        return int(found[0])

    def status_of(self, order: Order) -> str:
        found = self.owner.execute("SELECT status FROM orders_order WHERE id = %s", [order.id]).fetchone()
        assert found is not None
        return str(found[0])

    @contextmanager
    def holding_up(self, statement: LiteralString, *values: Any) -> Iterator[None]:
        """Hold the locks of a statement while the block runs; whoever needs them waits."""
        with self.blocker.transaction():
            self.blocker.execute(statement, values)
            yield

    @contextmanager
    def holding_up_account(self) -> Iterator[None]:
        """Hold the lock of the risk account, which every write of its orders needs."""
        with self.holding_up("SELECT FROM orders_riskaccount WHERE id = %s FOR UPDATE", self.desk.risk_account.id):
            yield

    def wait_until_held_up(self) -> None:
        """Wait until a worker stands before the lock."""
        waiting: LiteralString = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND cardinality(pg_blocking_pids(pid)) > 0"
        )
        wait_for(lambda: self.number(waiting), what="a worker waits for the lock")

    def control(self, path: str, **body: Any) -> Any:
        """Steer the desk's account at the venue."""
        return self.sandbox.control("POST", f"/alpaca{path}", key_id=self.key_id, **body)

    def venue_orders(self) -> list[dict[str, Any]]:
        """Return the venue's own truth: every order of the account, oldest first."""
        orders: list[dict[str, Any]] = self.sandbox.alpaca_state(self.key_id)["orders"]
        return orders

    def posts(self) -> int:
        """Count the requests for orders that have reached the venue since the scene began, of this account alone."""
        ours = {order.client_order_id for order in self._orders()}
        return sum(
            entry["method"] == "POST" and (entry["request"] or {}).get("client_order_id") in ours
            for entry in self.sandbox.log("alpaca")
        )

    def _orders(self) -> list[Order]:
        with tenant_scope(self.desk.tenant.id):
            return list(Order.objects.all())

    def take_over(self, *, seconds: float = 20) -> None:
        """Be the next worker: take back what dead ones held, and work until nothing is left that is due soon."""
        deadline = time.monotonic() + seconds
        sweep(now=clock.now() + timedelta(seconds=60))
        while self.desk.run(ahead=70) or self.desk.jobs(state__in=("queued", "leased")):
            assert time.monotonic() < deadline, [(job.kind, job.state, job.run_at) for job in self.desk.jobs()]
            time.sleep(0.02)

    def assert_once(self, order: Order, *, status: str) -> None:
        """Assert that the venue has the order exactly once, and that our row tells the venue's truth."""
        (theirs,) = [row for row in self.venue_orders() if row["client_order_id"] == order.client_order_id]
        ours = self.desk.read(order)
        assert (ours.status, theirs["status"]) == (status, {"accepted": "new"}.get(status, status))
        assert ours.venue_order_id == theirs["id"]
        assert ours.filled_quantity == Decimal(theirs["filled_qty"])
        assert ours.pending == "none"
        assert [job.state for job in self.desk.jobs() if job.state == "dead"] == []

    def assert_position(self) -> None:
        """Assert that what we hold is what the venue shows."""
        held = {row["symbol"]: Decimal(row["qty"]) for row in self.sandbox.alpaca_state(self.key_id)["positions"]}
        ours = {} if self.desk.is_flat() else {"AAPL": self.desk.position().quantity}
        assert {symbol: quantity for symbol, quantity in ours.items() if quantity} == held
