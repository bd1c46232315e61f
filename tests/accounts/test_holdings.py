"""What a sync does to holdings: replaced as a whole, recorded when a position changes, silent about prices."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from apps.accounts.models import Account, Holding
from apps.audit import merkle
from apps.audit.models import AuditEntry
from apps.core.scope import tenant_scope
from apps.outbox.models import OutboxEvent
from apps.providers.models import Connection, QuarantinedRow
from apps.providers.trading import HoldingData
from apps.providers.types import AccountData, RejectedRow, TransactionData
from tests.factories.accounts import sync
from tests.factories.market import connect
from tests.factories.venue import FIRST, Venue, plugged_in
from tests.tampering import found, looked_at, tamper

pytestmark = pytest.mark.worker_login

APPLE = HoldingData(
    symbol="AAPL",
    external_id="asset-apple",
    quantity=Decimal(10),
    average_price=Decimal("180.5"),
    market_price=Decimal(190),
    market_value=Decimal(1900),
    cost_basis=Decimal(1805),
)
SHORT = replace(
    APPLE,
    symbol="TSLA",
    external_id="asset-tesla",
    quantity=Decimal(-3),
    average_price=Decimal(250),
    market_price=None,
    market_value=None,
    cost_basis=None,
)


@pytest.fixture
def venue(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    with plugged_in(tmp_path, monkeypatch):
        FIRST.account = AccountData(
            external_id="acc-1",
            name="Margin",
            kind="brokerage",
            subtype="margin",
            currency="USD",
            status="open",
            mode="paper",
        )
        FIRST.cash = Decimal(1000)
        FIRST.holdings = [APPLE, SHORT]
        yield FIRST


@pytest.fixture
def connection(acme, venue: Venue) -> Connection:
    """A connection that was synced once, with both holdings."""
    connection = connect(acme, has_synced=False)
    assert sync(connection).status == "succeeded"
    return connection


def held(connection: Connection) -> dict[str, Holding]:
    with tenant_scope(connection.tenant_id):
        return {row.symbol: row for row in Holding.objects.all()}


def leaves(connection: Connection) -> list[dict[str, Any]]:
    with tenant_scope(connection.tenant_id):
        rows = AuditEntry.objects.filter(action="accounts.synced").order_by("position")
        return [row.changes for row in rows]


def events_after(connection: Connection, count: int) -> list[str]:
    with tenant_scope(connection.tenant_id):
        return list(OutboxEvent.objects.order_by("position").values_list("type", flat=True))[count:]


def event_count(connection: Connection) -> int:
    return len(events_after(connection, 0))


def as_row(type_: str, row: Holding, cost: str) -> bytes:
    values = (type_, row.id, row.account_id, row.external_id, row.symbol)
    numbers = (f"{row.quantity.normalize():f}", f"{row.average_price.normalize():f}", cost)
    return ("[" + ",".join(f'"{value}"' for value in (*values, *numbers)) + "]").encode()


def test_holdings_are_stored_as_the_broker_shows_them(connection: Connection) -> None:
    rows = held(connection)
    with tenant_scope(connection.tenant_id):
        account = Account.objects.get()
    for data in (APPLE, SHORT):
        row = rows[data.symbol]
        assert (row.account_id, row.external_id, row.as_of) == (
            account.id,
            data.external_id,
            account.provider_balance_as_of,
        )
        assert [getattr(row, name) for name in ("quantity", "average_price", "market_price", "market_value")] == [
            data.quantity,
            data.average_price,
            data.market_price,
            data.market_value,
        ]
        assert row.cost_basis == data.cost_basis
    assert leaves(connection)[-1]["holdings_added"] == [None, 2]


def test_prices_alone_leave_no_record(connection: Connection, venue: Venue) -> None:
    before, count, records = held(connection), event_count(connection), len(leaves(connection))
    venue.holdings = [replace(APPLE, market_price=Decimal(191), market_value=Decimal(1910)), SHORT]
    sync(connection)
    rows = held(connection)
    assert (rows["AAPL"].id, rows["AAPL"].market_price) == (before["AAPL"].id, Decimal(191))
    assert rows["AAPL"].as_of > before["AAPL"].as_of
    assert events_after(connection, count) == ["connection.synced"]
    assert len(leaves(connection)) == records


def test_a_sync_leaves_one_leaf_that_commits_to_every_position_that_changed(
    connection: Connection, venue: Venue
) -> None:
    before, count = held(connection), event_count(connection)
    new = replace(APPLE, symbol="MSFT", external_id="asset-microsoft")
    venue.holdings = [replace(APPLE, quantity=Decimal(12), cost_basis=Decimal("2166.00")), new]
    sync(connection)
    rows = held(connection)
    assert set(rows) == {"AAPL", "MSFT"}
    assert (rows["AAPL"].id, rows["AAPL"].quantity) == (before["AAPL"].id, Decimal(12))
    changes = leaves(connection)[-1]
    assert {name: changes[name] for name in changes if name.startswith("holdings")} == {
        "holdings_added": [None, 1],
        "holdings_modified": [None, 1],
        "holdings_removed": [None, 1],
    }
    written = {
        before["AAPL"].id: as_row("holding.updated", rows["AAPL"], "2166"),
        before["TSLA"].id: as_row("holding.removed", before["TSLA"], ""),
        rows["MSFT"].id: as_row("holding.created", rows["MSFT"], "1805"),
    }
    expected = [written[key] for key in sorted(written)]
    assert changes["batch"] == {"count": 3, "merkle_root": merkle.root_of_rows(expected).hex()}
    assert events_after(connection, count) == ["connection.synced"]


def test_holdings_that_were_changed_past_the_platform_are_found(connection: Connection, venue: Venue) -> None:
    apple, tesla = held(connection)["AAPL"].id, held(connection)["TSLA"].id
    assert looked_at("accounts.rows") == 3
    tamper("UPDATE accounts_holding SET quantity = quantity + 1 WHERE id = %s", apple)
    tamper("DELETE FROM accounts_holding WHERE id = %s", tesla)
    assert [(table, row, there[:8]) for table, row, _expected, there in found("accounts.rows")] == [
        ("accounts_holding", str(apple), "row hash"),
        ("accounts_holding", str(tesla), "no row"),
    ]


def test_holdings_that_a_sync_removed_are_not_missed_and_others_are(connection: Connection, venue: Venue) -> None:
    before = held(connection)
    venue.holdings = [replace(APPLE, quantity=Decimal(12))]
    sync(connection)
    assert looked_at("accounts.rows") == 2
    tamper("DELETE FROM accounts_holding WHERE id = %s", before["AAPL"].id)
    [(table, _entry, expected, there)] = found("accounts.rows")
    assert (table, expected) == ("audit_entry", "1 of these removed")
    assert there == f"gone: {', '.join(sorted(str(row.id) for row in before.values()))}"


def test_a_holding_that_does_not_map_is_quarantined_and_ours_stays(connection: Connection, venue: Venue) -> None:
    before = held(connection)
    broken = RejectedRow(entity="holding", external_id=APPLE.external_id, reason="no quantity", excerpt={"a": 1})
    venue.holdings = [broken]
    run = sync(connection)
    rows = held(connection)
    assert (run.status, run.quarantined, set(rows)) == ("succeeded", 1, {"AAPL"})
    assert (rows["AAPL"].quantity, rows["AAPL"].as_of) == (before["AAPL"].quantity, before["AAPL"].as_of)
    with tenant_scope(connection.tenant_id):
        kept = QuarantinedRow.objects.get()
    assert (kept.entity, kept.row_key, kept.reason, kept.resolved_at) == (
        "holding",
        APPLE.external_id,
        "no quantity",
        None,
    )
    venue.holdings = [APPLE]
    sync(connection)
    with tenant_scope(connection.tenant_id):
        assert QuarantinedRow.objects.get().resolved_at is not None


def test_one_without_an_id_makes_absence_prove_nothing(connection: Connection, venue: Venue) -> None:
    venue.holdings = [RejectedRow(entity="holding", external_id="", reason="no asset")]
    assert sync(connection).quarantined == 1
    assert set(held(connection)) == {"AAPL", "TSLA"}


def test_an_account_without_holdings_has_none(connection: Connection, venue: Venue) -> None:
    venue.holdings = []
    sync(connection)
    assert held(connection) == {}
    assert leaves(connection)[-1]["holdings_removed"] == [None, 2]


def test_a_trade_while_reading_has_the_account_read_again(connection: Connection, venue: Venue) -> None:
    """Cash, transactions and holdings are of one moment: the balance is asked for before and after."""
    bought = TransactionData(
        external_id="fill-1",
        amount=Decimal(-200),
        currency="USD",
        date=date(2026, 3, 2),
        status="posted",
        description="Bought 1 AAPL",
    )

    class Trading(list[Any]):
        """Holdings that are traded on the first time they are looked at."""

        def __iter__(self) -> Iterator[Any]:
            if not venue.transactions:
                venue.transactions = [bought]
                venue.cash -= 200
                return iter([APPLE, SHORT])
            return iter([replace(APPLE, quantity=Decimal(11)), SHORT])

    venue.holdings = Trading()
    venue.calls.clear()
    assert sync(connection).status == "succeeded"
    assert venue.calls == ["accounts", *["balance", "transactions", "holdings", "balance"] * 2]
    assert held(connection)["AAPL"].quantity == 11
    with tenant_scope(connection.tenant_id):
        account = Account.objects.get()
    assert (account.provider_balance, account.drift) == (Decimal(800), Decimal(0))


def test_a_closed_account_is_not_read_and_keeps_what_it_held_last(connection: Connection, venue: Venue) -> None:
    assert venue.account is not None
    venue.account = replace(venue.account, status="closed")
    venue.calls.clear()
    sync(connection)
    assert venue.calls == ["accounts"]
    assert set(held(connection)) == {"AAPL", "TSLA"}


def test_the_mode_is_fixed_when_the_account_is_first_seen(connection: Connection, venue: Venue) -> None:
    assert venue.account is not None
    venue.account = replace(venue.account, mode="live", name="Renamed")
    sync(connection)
    with tenant_scope(connection.tenant_id):
        account = Account.objects.get()
    assert (account.name, account.mode) == ("Renamed", "paper")
