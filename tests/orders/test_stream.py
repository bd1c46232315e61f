"""The process that listens to venues: against the sandbox's stream, over real sockets."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection as database_connection
from prometheus_client import REGISTRY

from apps.core import clock
from apps.core.scope import tenant_scope
from apps.orders.services.turns import is_taken, stream_turn
from apps.orders.streaming import Listener
from apps.providers.credentials import open_sealed
from apps.providers.models import Connection, Credentials
from apps.providers.services import delete_connection
from tests import databases
from tests.factories.market import connect
from tests.orders.floor import Floor, open_alpaca_floor
from tests.sandbox_process import SandboxProcess
from tests.waiting import wait_until

pytestmark = pytest.mark.worker_login

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def desk(sandbox: SandboxProcess, acme) -> Floor:
    """Acme's paper account at the sandbox's Alpaca."""
    return open_alpaca_floor(acme, sandbox, f"stream-{uuid4().hex}")


@contextmanager
def listening(*, look_seconds: float = 0.1) -> Iterator[Listener]:
    """Listen in a thread while the block runs."""
    found: list[tuple[Listener, asyncio.AbstractEventLoop]] = []
    ready = threading.Event()

    async def run() -> None:
        listener = Listener(look_seconds=look_seconds)
        found.append((listener, asyncio.get_running_loop()))
        ready.set()
        await listener.run()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert ready.wait(5)
        yield found[0][0]
    finally:
        listener, loop = found[0]
        loop.call_soon_threadsafe(listener.stop)
        thread.join(10)
        assert not thread.is_alive()


def key_of(desk: Floor) -> str:
    """Return the key of the desk's account at the venue."""
    with tenant_scope(desk.tenant.id):
        return open_sealed(Credentials.objects.get(connection_id=desk.risk_account.connection_id))["key_id"]


def await_listening(desk: Floor, sandbox: SandboxProcess, count: int = 1) -> None:
    key = key_of(desk)
    wait_until(lambda: sandbox.alpaca_listeners(key) == count, what=f"{count} listeners")


def test_a_fill_is_here_without_anyone_asking(desk: Floor, sandbox: SandboxProcess):
    with listening():
        await_listening(desk, sandbox)
        order = desk.make_order(type="market", limit_price=None)
        began = time.monotonic()
        while desk.run():
            pass
        wait_until(lambda: desk.read(order).status == "filled", what="the fill")
        assert time.monotonic() - began < 4

    assert desk.events(order)[-1] == "filled"
    truth = sandbox.alpaca_state(key_of(desk))
    assert Decimal(truth["positions"][0]["qty"]) == desk.position().quantity


def test_the_gauge_counts_open_streams(desk: Floor, sandbox: SandboxProcess):
    def shown() -> float | None:
        return REGISTRY.get_sample_value("finops_order_streams_connected")

    with listening():
        wait_until(lambda: shown() == 1, what="the gauge")
    assert shown() == 0
    await_listening(desk, sandbox, 0)


def test_what_happened_while_the_stream_was_cut_is_pulled_after_it_is_back(desk: Floor, sandbox: SandboxProcess):
    key = key_of(desk)
    sandbox.control("POST", "/alpaca/execution", key_id=key, hold=True)
    with listening():
        await_listening(desk, sandbox)
        order = desk.make_order()
        while desk.run(ahead=2):
            pass
        sandbox.fault("status:503", provider="alpaca", match="/stream", count=1)
        assert sandbox.cut_alpaca_streams(key) == 1
        venue_id = desk.read(order).venue_order_id
        sandbox.control("POST", "/alpaca/order", key_id=key, order_id=venue_id, op="fill")
        await_listening(desk, sandbox)
        wait_until(lambda: bool(desk.jobs(kind="order.pull", state="queued")), what="a pull")
        desk.run()

    assert desk.read(order).status == "filled"


def test_pulls_know_that_somebody_listens(desk: Floor, sandbox: SandboxProcess):
    turn = stream_turn(desk.risk_account.connection_id)
    assert not is_taken(turn)
    with listening():
        await_listening(desk, sandbox)
        wait_until(lambda: is_taken(turn), what="the sign of life")


def test_new_connections_are_picked_up_and_deleted_ones_let_go(desk: Floor, sandbox: SandboxProcess, globex):
    with listening():
        await_listening(desk, sandbox)
        other = open_alpaca_floor(globex, sandbox, f"stream-{uuid4().hex}")
        other_key = key_of(other)
        wait_until(lambda: sandbox.alpaca_listeners(other_key) == 1, what="the new connection")

        delete_connection(connection_id=other.risk_account.connection_id, actor=other.actor, now=clock.now())

        wait_until(lambda: sandbox.alpaca_listeners(other_key) == 0, what="the end of it")
        assert sandbox.alpaca_listeners(key_of(desk)) == 1


def test_refused_credentials_are_left_alone_and_disturb_no_one_else(desk: Floor, sandbox, globex, caplog):
    """Any other failure is tried again within half a second."""
    wrong = sandbox.credentials("wrong")["alpaca"] | {"secret_key": "x" * 40}
    refused = connect(globex, "alpaca", credentials=wrong)

    def ends() -> list[tuple[str, str]]:
        records = [record for record in caplog.records if record.message == "stream.ended"]
        return [(record.connection_id, record.code) for record in records]

    with caplog.at_level(logging.WARNING, "apps.orders.streaming"), listening():
        await_listening(desk, sandbox)
        wait_until(lambda: bool(ends()), what="the refusal")
        time.sleep(1)
        assert ends() == [(str(refused.id), "credentials_refused")]
        assert sandbox.alpaca_listeners(key_of(desk)) == 1
    with tenant_scope(globex.id):
        assert Connection.objects.get(id=refused.id).status == "active"


def test_a_database_that_ends_sessions_costs_a_reconnect(desk: Floor, sandbox: SandboxProcess, database: str):
    with listening():
        await_listening(desk, sandbox)
        database_connection.close()
        with databases.as_owner("finops") as owner:
            owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
        order = desk.make_order(type="market", limit_price=None)
        while desk.run():
            pass
        wait_until(lambda: bool(desk.run(ahead=1)) or desk.read(order).status == "filled", what="the fill")
        while desk.run(ahead=1):
            pass
        assert desk.read(order).status == "filled"


def test_the_process_ends_well_on_sigterm(desk: Floor, sandbox: SandboxProcess, process_environment, tmp_path: Path):
    environment = {**process_environment, "DATABASE_URL": process_environment["DATABASE_WORKER_URL"]}
    with (tmp_path / "stream.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "stream_orders"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
        try:
            await_listening_slowly(desk, sandbox)
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()
            process.wait(10)
    await_listening(desk, sandbox, 0)


def test_it_does_not_listen_with_the_owners_login(database: str):
    databases.log_in("owner", database)
    with pytest.raises(SystemExit) as refusal:
        call_command("stream_orders")
    assert "finops does not start" in str(refusal.value)
    assert "owner" in str(refusal.value)


def await_listening_slowly(desk: Floor, sandbox: SandboxProcess) -> None:
    key = key_of(desk)
    wait_until(lambda: sandbox.alpaca_listeners(key) == 1, what="the process listens", seconds=40)
