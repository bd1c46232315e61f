"""A brokerage account through the same sync as a bank's, against the sandbox's Alpaca over HTTP."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

import apps.market.tasks  # noqa: F401  (registers the handler)
from apps.accounts.models import Account, Holding
from apps.core.scope import tenant_scope
from apps.jobs.models import Job
from apps.jobs.runner import run_next
from apps.market.models import Listing
from apps.outbox.models import OutboxEvent
from apps.providers.models import Connection
from tests.accounts.broker import Broker, assert_equal, keys_held
from tests.factories.accounts import sync
from tests.factories.market import connect
from tests.factories.providers import code_of, read_connection
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.worker_login


@pytest.fixture
def broker(sandbox: SandboxProcess) -> Iterator[Broker]:
    yield Broker(sandbox, sandbox.credentials(uuid4().hex)["alpaca"])
    sandbox.clear_faults()
    sandbox.control("POST", "/alpaca/quote", symbol="*", release=True)


@pytest.fixture
def connection(acme, broker: Broker) -> Connection:
    return connect(acme, "alpaca", credentials=broker.keys, has_synced=False)


def events(connection: Connection) -> list[str]:
    with tenant_scope(connection.tenant_id):
        return list(OutboxEvent.objects.order_by("position").values_list("type", flat=True))


def imports(connection: Connection) -> list[str]:
    with tenant_scope(connection.tenant_id):
        return list(Job.objects.filter(kind="market.import_listings").values_list("state", flat=True))


def test_the_first_sync_finds_a_paper_account_that_adds_up(connection: Connection, broker: Broker) -> None:
    assert sync(connection).status == "succeeded"
    account = assert_equal(broker, connection)
    assert (account.kind, account.mode, account.provider, account.currency, account.status) == (
        "brokerage",
        "paper",
        "alpaca",
        "USD",
        "open",
    )
    assert account.external_id == broker.state()["account"]["id"]


def test_trades_made_elsewhere_come_as_transactions_and_holdings(connection: Connection, broker: Broker) -> None:
    sync(connection)
    broker.trade("buy", "AAPL", "10")
    broker.trade("buy", "BTC/USD", "0.05")
    broker.trade("sell", "AAPL", "4")
    broker.trade("sell", "MSFT", "3")
    run = sync(connection)
    assert (run.added, run.modified, run.removed) == (4, 0, 0)
    assert_equal(broker, connection)
    with tenant_scope(connection.tenant_id):
        held = {row.symbol: row for row in Holding.objects.all()}
    assert (held["AAPL"].quantity, held["MSFT"].quantity) == (6, -3)
    assert held["AAPL"].market_price is not None
    assert held["AAPL"].market_value == held["AAPL"].quantity * held["AAPL"].market_price
    new = events(connection)
    assert new.count("account.updated") == 1
    assert not [name for name in new if name.startswith("holding.")]


def test_what_was_sold_is_gone(connection: Connection, broker: Broker) -> None:
    broker.trade("buy", "AAPL", "10")
    sync(connection)
    assert_equal(broker, connection)
    broker.trade("sell", "AAPL", "10")
    sync(connection)
    assert_equal(broker, connection)
    with tenant_scope(connection.tenant_id):
        assert not Holding.objects.exists()


def test_the_brokers_list_is_imported_at_once_and_names_what_is_held(connection: Connection, broker: Broker) -> None:
    broker.trade("buy", "AAPL", "1")
    broker.trade("buy", "BTC/USD", "0.05")
    sync(connection)
    assert imports(connection) == ["queued"]
    held = keys_held(connection)
    assert set(held.values()) == {None}
    assert run_next("market", worker="tests")
    assert Listing.objects.filter(venue="alpaca", tradable=True).count() > 10
    assert set(keys_held(connection).values()) == {"XNAS:AAPL", "CRYPTO:BTC-USD"}
    sync(connection)
    assert imports(connection) == ["succeeded"]


def test_the_mode_never_changes(connection: Connection, broker: Broker) -> None:
    sync(connection)
    broker.trade("buy", "AAPL", "1")
    sync(connection)
    with tenant_scope(connection.tenant_id):
        assert Account.objects.get().mode == "paper"


def test_wrong_keys_ask_for_attention(acme, broker: Broker) -> None:
    connection = connect(acme, "alpaca", credentials={**broker.keys, "secret_key": "wrong"}, has_synced=False)
    run = sync(connection)
    assert (run.status, read_connection(connection).status) == ("failed", "needs_attention")
    assert code_of(run) == read_connection(connection).status_code
    assert imports(connection) == []
    with tenant_scope(connection.tenant_id):
        assert not Account.objects.exists()


PATHS = ("GET /v2/positions", "GET /v2/account/activities", "GET /v2/account")
FAULTS = ("malformed", "status:503", "throttle", "drop_response")


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        # Each waits for its retries: every fault and every path once, and all that they make together as a proof.
        pytest.param(kind, path, marks=[] if (fault - call) % 3 == 0 else pytest.mark.prove)
        for fault, kind in enumerate(FAULTS)
        for call, path in enumerate(PATHS)
    ],
)
def test_a_failure_leaves_everything_as_it_was(connection: Connection, broker: Broker, kind: str, path: str) -> None:
    broker.trade("buy", "AAPL", "10")
    sync(connection)
    with tenant_scope(connection.tenant_id):
        before = list(Holding.objects.values()), list(Account.objects.values())
    broker.trade("sell", "AAPL", "10")
    broker.sandbox.fault(kind, provider="alpaca", match=path, rate=1)
    assert sync(connection).status != "succeeded"
    with tenant_scope(connection.tenant_id):
        assert (list(Holding.objects.values()), list(Account.objects.values())) == before
