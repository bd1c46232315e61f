"""A paper account at the sandbox's Alpaca, traded on by somebody else than us, and what we should hold of it."""

import time
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx

from apps.accounts.models import Account, Holding, Transaction
from apps.accounts.selectors import holdings_for
from apps.core.scope import tenant_scope
from apps.providers.models import Connection
from tests.accounts.bank import kept_totals, summed_totals
from tests.sandbox_process import SandboxProcess


class Broker:
    """One account at the sandbox's Alpaca."""

    def __init__(self, sandbox: SandboxProcess, keys: dict[str, str]) -> None:
        self.sandbox, self.keys = sandbox, keys
        self._headers = {"APCA-API-KEY-ID": keys["key_id"], "APCA-API-SECRET-KEY": keys["secret_key"]}

    def state(self) -> dict[str, Any]:
        """Return the broker's truth."""
        return self.sandbox.alpaca_state(self.keys["key_id"])

    def trade(self, side: str, symbol: str, quantity: str) -> None:
        """Trade at the market, and wait for the fill."""
        body = {
            "symbol": symbol,
            "qty": quantity,
            "side": side,
            "type": "market",
            "time_in_force": "gtc" if "/" in symbol else "day",
            "client_order_id": uuid4().hex,
        }
        url = f"{self.sandbox.url}/alpaca/v2/orders"
        placed = httpx.post(url, verify=False, json=body, headers=self._headers)
        assert placed.is_success, placed.text
        for _try in range(500):
            order = httpx.get(f"{url}/{placed.json()['id']}", verify=False, headers=self._headers).json()
            if order["status"] == "filled":
                return
            time.sleep(0.02)
        raise AssertionError(f"the order is {order['status']}")


def assert_equal(broker: Broker, connection: Connection) -> Account:
    """Assert that cash, transactions and holdings agree with the broker to the last digit; return the account."""
    state = broker.state()
    with tenant_scope(connection.tenant_id):
        account = Account.objects.get(connection=connection)
        assert account.provider_balance == Decimal(state["account"]["cash"])
        assert account.our_balance == account.provider_balance
        assert account.drift == 0
        assert kept_totals(connection) == summed_totals(connection)
        ids = set(Transaction.objects.filter(account=account).values_list("external_id", flat=True))
        assert ids == {activity["id"] for activity in state["activities"]}
        assert our_holdings(account) == {
            (row["asset_id"], row["symbol"], Decimal(row["qty"]), Decimal(row["avg_entry_price"]))
            for row in state["positions"]
        }
    return account


def our_holdings(account: Account) -> set[tuple[str, str, Decimal, Decimal]]:
    """Return what we hold of an account; call it in the tenant's scope."""
    rows = Holding.objects.filter(account=account)
    return {(row.external_id, row.symbol, row.quantity, row.average_price) for row in rows}


def keys_held(connection: Connection) -> dict[str, str | None]:
    """Return {symbol at the broker: canonical key} of what a tenant's accounts hold."""
    with tenant_scope(connection.tenant_id):
        rows = holdings_for(tenant_id=connection.tenant_id)
        return {row.symbol: row.instrument_key for row in rows}  # type: ignore[attr-defined]  # annotated
