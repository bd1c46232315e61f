"""What the gate lacks is fetched once, outside of the transaction, from the sandbox; what cannot be had denies."""

from typing import Any
from uuid import uuid4

import pytest

from apps.accounts.models import Account
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import tenant_scope, write_scope
from apps.market.models import Quote, VenueClock
from apps.orders.models import Order, RiskAccount
from apps.providers.models import Connection
from apps.providers.registry import brokerage_for
from apps.providers.services import create_connection
from tests.factories.accounts import make_account
from tests.factories.market import make_clock, make_listing, make_quote
from tests.memory import forget_all
from tests.orders.intake import URL, post, traces
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.commits

CALLS = {"quote": "/quotes/latest", "clock": "/v2/clock", "means": "/v2/account", "holdings": "/v2/positions"}


class Fresh:
    """A paper account that was just connected: nobody has asked for anything that the gate needs."""

    def __init__(self, sandbox: SandboxProcess, tenant: Any) -> None:
        self.sandbox = sandbox
        actor = system_actor("tests", tenant_id=tenant.id)
        keys = sandbox.credentials(uuid4().hex)["alpaca"]
        self.connection: Connection = create_connection(
            provider="alpaca", credentials=keys, label="broker", actor=actor, now=clock.now()
        )
        with brokerage_for(self.connection) as adapter:
            means = adapter.means()
        self.account: Account = make_account(
            tenant, connection=self.connection, kind="brokerage", mode="paper", external_id=means.external_id
        )
        self.listing = make_listing("XNAS:AAPL")
        self._seen = len(sandbox.log("alpaca"))

    def body(self, **values: Any) -> dict[str, Any]:
        order = {"account_id": str(self.account.id), "instrument": "XNAS:AAPL", "side": "buy", "type": "market"}
        return {**order, "quantity": "1", **values}

    def asked(self) -> list[str]:
        """Return what the venue was asked for since the last look, in alphabetical order."""
        rows = self.sandbox.log("alpaca")[self._seen :]
        self._seen += len(rows)
        return sorted(name for row in rows for name, path in CALLS.items() if str(row["path"]).endswith(path))


@pytest.fixture
def fresh(sandbox: SandboxProcess, acme) -> Fresh:
    return Fresh(sandbox, acme)


def test_the_first_order_of_an_account_has_everything_asked_for_once(fresh: Fresh, acme, acme_trader):
    answer = post(acme_trader, fresh.body())
    assert (answer.status_code, answer.json()["status"]) == (201, "approved"), answer.content
    assert fresh.asked() == ["clock", "holdings", "means", "quote"]
    assert traces(acme.id)["decisions"] == 1, "the first look is no decision"
    assert post(acme_trader, fresh.body()).json()["status"] == "approved"
    assert fresh.asked() == []


def test_only_what_has_grown_old_is_asked_for_again(fresh: Fresh, acme_trader):
    post(acme_trader, fresh.body())
    fresh.asked()
    for make_old, expected in ((lambda: make_quote(fresh.listing, age_seconds=60), ["quote"]), (_old_clock, ["clock"])):
        forget_all()
        make_old()
        assert post(acme_trader, fresh.body()).json()["status"] == "approved"
        assert fresh.asked() == expected


def _old_clock() -> VenueClock:
    return make_clock(age_seconds=120)


FAULTS = [
    ("/quotes/latest", "status:500", "price_unknown"),
    ("/quotes/latest", "malformed", "price_unknown"),
    ("/quotes/latest", "drop_response", "price_unknown"),
    ("/quotes/latest", "throttle", "price_unknown"),
    ("/v2/clock", "status:503", "clock_unknown"),
    ("/v2/clock", "malformed", "clock_unknown"),
    ("/v2/account", "status:500", "means_unknown"),
    ("/v2/account", "drop_response", "means_unknown"),
]


@pytest.mark.parametrize(("path", "kind", "code"), FAULTS)
def test_what_the_venue_does_not_tell_denies(path: str, kind: str, code: str, fresh: Fresh, acme, acme_trader):
    fresh.sandbox.fault(kind, provider="alpaca", match=path)
    order = post(acme_trader, fresh.body()).json()
    assert (order["status"], order["denial"]["code"]) == ("denied", code)
    assert traces(acme.id) == {"orders": 1, "order_events": 1, "decisions": 1, "leaves": 1, "events": 1, "answers": 1}


def test_a_quote_that_cannot_be_renewed_is_stale(fresh: Fresh, acme_trader):
    post(acme_trader, fresh.body())
    forget_all()
    stored = make_quote(fresh.listing, age_seconds=60)
    fresh.sandbox.fault("status:500", provider="alpaca", match="/quotes/latest")
    denial = post(acme_trader, fresh.body()).json()["denial"]
    assert denial["code"] == "price_stale"
    assert Quote.objects.get().received_at == stored.received_at


def test_a_replacement_has_old_inputs_renewed_too(fresh: Fresh, acme, acme_trader):
    placed = post(acme_trader, fresh.body()).json()
    with tenant_scope(acme.id):
        risk_account = RiskAccount.objects.get()
    assert risk_account.means_as_of is not None
    refused = acme_trader.patch(f"{URL}/{placed['id']}", {"quantity": "2"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (409, "order_not_at_venue")
    _be_at_venue(acme, placed["id"])
    forget_all()
    make_quote(fresh.listing, age_seconds=60)
    fresh.asked()
    answer = acme_trader.patch(f"{URL}/{placed['id']}", {"quantity": "2"}, format="json")
    assert (answer.status_code, answer.json()["status"]) == (200, "approved")
    assert fresh.asked() == ["quote"]


def _be_at_venue(tenant: Any, order_id: str) -> None:
    with write_scope(system_actor("tests", tenant_id=tenant.id)):
        Order.objects.filter(id=order_id).update(status="accepted", venue_order_id="v-1", accepted_at=clock.now())


def test_an_account_that_is_no_brokers(fresh: Fresh, acme, acme_trader):
    bank = make_account(acme, mode="paper")
    answer = post(acme_trader, fresh.body(account_id=str(bank.id)))
    assert (answer.status_code, answer.json()["code"]) == (409, "account_not_tradable")
    assert fresh.asked() == []
