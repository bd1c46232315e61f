"""What the gate knows of an account: asked of the sandbox's Alpaca over HTTP, once for all who wait, and stored."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import tenant_scope, write_scope
from apps.market.models import Listing
from apps.orders.models import Position, RiskAccount
from apps.orders.services.accounts import ensure_risk_account, refresh_means
from apps.outbox.models import OutboxEvent
from apps.providers.registry import brokerage_for
from apps.providers.services import create_connection
from apps.providers.trading import AssetData, OrderRequest
from tests.factories.accounts import make_account
from tests.factories.market import make_listing
from tests.memory import forget_all
from tests.sandbox_process import SandboxProcess
from tests.threads import at_once

pytestmark = pytest.mark.commits


class Customer:
    """A paper account at the sandbox, connected to acme, and its risk row."""

    def __init__(self, sandbox: SandboxProcess, tenant: Any, *, external_id: str = "") -> None:
        self.sandbox, self.tenant = sandbox, tenant
        self.actor = system_actor("tests", tenant_id=tenant.id)
        self.keys = sandbox.credentials(uuid4().hex)["alpaca"]
        now = clock.now()
        self.connection = create_connection(
            provider="alpaca", credentials=self.keys, label="broker", actor=self.actor, now=now
        )
        with brokerage_for(self.connection) as adapter:
            self.means = adapter.means()
        self.account = make_account(
            tenant,
            connection=self.connection,
            kind="brokerage",
            mode="paper",
            external_id=external_id or self.means.external_id,
        )
        self.risk_account_id = ensure_risk_account(account_id=self.account.id, actor=self.actor, now=now).id

    def refresh(self) -> None:
        refresh_means(risk_account_id=self.risk_account_id, actor=self.actor)

    def read(self) -> RiskAccount:
        with tenant_scope(self.tenant.id):
            return RiskAccount.objects.get(id=self.risk_account_id)

    def age(self, seconds: float) -> None:
        """Make the stored means older."""
        with write_scope(self.actor):
            means_as_of = clock.now() - timedelta(seconds=seconds)
            RiskAccount.objects.filter(id=self.risk_account_id).update(means_as_of=means_as_of)
        forget_all()

    def positions(self) -> list[tuple[str, Decimal, Decimal]]:
        with tenant_scope(self.tenant.id):
            rows = Position.objects.order_by("instrument__key")
            return list(rows.values_list("instrument__key", "quantity", "average_price"))

    def records(self, kind: str) -> list[str]:
        with tenant_scope(self.tenant.id):
            leaves = AuditEntry.objects.filter(target_type=kind).values_list("action", flat=True)
            return [*leaves, *OutboxEvent.objects.filter(entity_type=kind).values_list("type", flat=True)]

    def buy(self, symbol: str, quantity: int) -> None:
        """Buy at the venue, past the platform, and wait for the fill."""
        request = OrderRequest(
            client_order_id=uuid4().hex,
            symbol=symbol,
            side="buy",
            type="market",
            quantity=Decimal(quantity),
            limit_price=None,
            stop_price=None,
            time_in_force="day",
        )
        with brokerage_for(self.connection) as adapter:
            placed = adapter.place_order(request)
            for _ in range(100):
                self.sandbox.advance(1)
                found = adapter.get_order(placed.venue_order_id)
                if found is not None and found.status == "filled":
                    return
        raise AssertionError("the order was not filled")

    def calls(self, path: str) -> int:
        return sum(path in str(row["path"]) for row in self.sandbox.log("alpaca"))


@pytest.fixture
def customer(sandbox: SandboxProcess, acme) -> Customer:
    return Customer(sandbox, acme)


def list_instrument(customer: Customer, symbol: str) -> Listing:
    """List one of the venue's instruments under the venue's own id."""
    with brokerage_for(customer.connection) as adapter:
        asset = next(row for row in adapter.assets() if isinstance(row, AssetData) and row.symbol == symbol)
    return make_listing(asset.key, external_id=asset.external_id)


def test_means_are_as_of_just_before_the_question(customer):
    before = clock.now()
    customer.refresh()
    row = customer.read()
    assert (row.equity, row.cash, row.buying_power) == (
        customer.means.equity,
        customer.means.cash,
        customer.means.buying_power,
    )
    assert before <= row.means_as_of <= clock.now()
    assert (row.is_restricted, row.version, customer.positions()) == (False, 1, [])
    assert customer.records("risk_account") == ["risk_account.created"] * 2


def test_fresh_means_are_not_asked_for_again_and_old_ones_are(customer):
    customer.refresh()
    asked = customer.calls("/v2/account")
    customer.refresh()
    assert customer.calls("/v2/account") == asked
    customer.age(31)
    customer.sandbox.control("POST", "/alpaca/account", key_id=customer.keys["key_id"], trading_blocked=True)
    customer.refresh()
    assert customer.calls("/v2/account") == asked + 1
    assert customer.read().is_restricted


def test_ten_callers_ask_once(customer):
    asked = customer.calls("/v2/account")
    at_once(lambda _caller: customer.refresh(), range(10))
    assert customer.calls("/v2/account") == asked + 1
    assert customer.read().means_as_of is not None


def test_what_is_held_from_elsewhere_becomes_a_position_once(customer):
    listing = list_instrument(customer, "AAPL")
    customer.buy("AAPL", 7)
    customer.refresh()
    ((key, quantity, price),) = customer.positions()
    assert (key, quantity) == (listing.instrument.key, 7)
    assert price > 0
    assert customer.records("position") == ["position.opened"] * 2
    customer.buy("AAPL", 1)
    customer.age(31)
    customer.refresh()
    assert [row[1] for row in customer.positions()] == [7]  # from then on our own fills move it
    assert customer.read().means_as_of > clock.now() - timedelta(seconds=30)


def test_a_holding_that_we_cannot_tell_leaves_the_means_unknown(customer):
    customer.buy("AAPL", 7)
    customer.refresh()
    assert (customer.read().means_as_of, customer.positions()) == (None, [])
    list_instrument(customer, "AAPL")
    forget_all()
    customer.refresh()
    assert customer.read().means_as_of is not None
    assert [row[1] for row in customer.positions()] == [7]


def test_a_venue_that_fails_leaves_what_is_stored(customer):
    customer.refresh()
    customer.age(31)
    before = customer.read()
    customer.sandbox.fault("status:500", provider="alpaca", count=20, match="/v2/account")
    customer.refresh()
    assert customer.read().means_as_of == before.means_as_of


def test_the_keys_of_another_account_are_not_believed(customer, sandbox, acme):
    other = Customer(sandbox, acme, external_id="another")
    other.refresh()
    row = other.read()
    assert row.means_as_of is row.equity is row.buying_power is None
