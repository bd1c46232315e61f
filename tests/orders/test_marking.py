"""What is held has a price whenever somebody looks: its quotes are asked for before they grow old."""

import pytest

from apps.core.scope import tenant_scope
from apps.market.models import Quote
from apps.orders.services.marking import refresh_quotes_of_positions
from apps.tenants.models import Tenant
from tests.factories.market import make_quote
from tests.factories.orders import Desk, make_position
from tests.orders.floor import open_alpaca_floor
from tests.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.commits, pytest.mark.worker_login]


@pytest.fixture
def desk(acme: Tenant, sandbox: SandboxProcess) -> Desk:
    floor = open_alpaca_floor(acme, sandbox, "marking")
    with tenant_scope(acme.id):
        return Desk(acme, floor.risk_account.connection, floor.account, floor.risk_account, floor.listing)


def refresh_and_see(sandbox: SandboxProcess) -> list[str]:
    """Refresh, and return the symbols of each request for quotes that the venue got by it."""
    before = len(sandbox.log("alpaca"))
    refresh_quotes_of_positions()
    return [entry["query"]["symbols"] for entry in sandbox.log("alpaca")[before:] if "quotes" in entry["path"]]


def test_the_quote_of_what_is_held_is_renewed_before_it_is_old(desk: Desk, sandbox: SandboxProcess) -> None:
    make_position(desk, "10")
    make_quote(desk.listing, age_seconds=9)
    assert refresh_and_see(sandbox) == ["AAPL"]
    received_at = Quote.objects.get().received_at
    assert refresh_and_see(sandbox) == []
    assert Quote.objects.get().received_at == received_at


@pytest.mark.parametrize("quantity", ["0", None])
def test_nobody_asks_for_what_is_not_held(desk: Desk, sandbox: SandboxProcess, quantity: str | None) -> None:
    if quantity is not None:
        make_position(desk, quantity)
    make_quote(desk.listing, age_seconds=60)
    assert refresh_and_see(sandbox) == []
