"""What a sync does to accounts and transactions, against the sandbox over HTTP."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from apps.accounts.errors import TransactionRemoved
from apps.accounts.models import Account, Transaction
from apps.accounts.services import annotate_transaction
from apps.audit import merkle
from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.money import plain
from apps.core.scope import tenant_scope
from apps.outbox.models import OutboxEvent
from apps.providers.models import Connection, SyncRun
from tests.accounts.bank import Bank, assert_equal, find_row
from tests.factories.accounts import make_connection, sync

pytestmark = pytest.mark.worker_login

COFFEE = {"description": "SQ *BLUE HERON COFFEE", "counterparty": "BLUE HERON COFFEE", "category": "dining"}


@pytest.fixture
def connection(acme, bank: Bank) -> Connection:
    """A connection that was synced once."""
    connection = make_connection(acme, bank.label)
    assert sync(connection).status == "succeeded"
    return connection


def counts(run: SyncRun) -> tuple[int, int, int]:
    return run.added, run.modified, run.removed


def events_of(connection: Connection, *, since: int = 0) -> list[tuple[str, str]]:
    """Return (type, bank's id) of the tenant's transaction events, in the order in which they happened."""
    with tenant_scope(connection.tenant_id):
        rows = OutboxEvent.objects.filter(type__startswith="transaction.").order_by("position")
        return [(row.type, row.data["external_id"]) for row in rows][since:]


def account_events_of(connection: Connection) -> list[tuple[str, str, int]]:
    """Return (type, subtype, version) of the tenant's account events, in the order in which they happened."""
    with tenant_scope(connection.tenant_id):
        rows = OutboxEvent.objects.filter(type__startswith="account.").order_by("position")
        return [(row.type, row.data["subtype"], row.data["version"]) for row in rows]


def as_row(*values: object) -> bytes:
    return ("[" + ",".join(f'"{"" if value is None else value}"' for value in values) + "]").encode()


def plain_or_none(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


def account_row(type_: str, row: Account) -> bytes:
    description = (row.name, row.kind, row.subtype, row.mode, row.currency, row.last_four, row.institution, row.status)
    balances = (row.provider_balance, row.provider_available, row.opening_balance, row.posted_total)
    return as_row(type_, row.id, row.connection_id, row.external_id, *description, *map(plain_or_none, balances))


def transaction_row(type_: str, row: Transaction) -> bytes:
    told = (row.external_id, plain(row.amount), row.currency, row.date, row.description, row.counterparty)
    ours = (row.provider_category, row.status, row.category_override, row.note, row.replaces_id)
    return as_row(type_, row.id, row.account_id, *told, *ours)


def batch_of(rows: list[bytes]) -> dict[str, object]:
    return {"count": len(rows), "merkle_root": merkle.root_of_rows(rows).hex()}


def words(connection: Connection, external_id: str, *, category: str, note: str) -> Transaction:
    row = find_row(external_id, connection.tenant_id)
    actor = system_actor("tests", tenant_id=connection.tenant_id)
    return annotate_transaction(transaction_id=row.id, category=category, note=note, actor=actor, now=clock.now())


def test_first_sync_takes_everything_and_says_so_once(acme, bank: Bank) -> None:
    connection = make_connection(acme, bank.label)
    run = sync(connection)
    total = sum(len(rows) for rows in bank.state()["transactions"].values())
    assert (run.status, *counts(run), run.unchanged, run.quarantined) == ("succeeded", total, 0, 0, 0, 0)
    assert_equal(bank, connection)
    with tenant_scope(acme.id):
        types = set(OutboxEvent.objects.values_list("type", flat=True))
        synced = OutboxEvent.objects.get(type="connection.synced")
    assert types == {"tenant.created", "connection.created", "account.created", "connection.synced"}
    assert (synced.data["added"], synced.data["first"]) == (total, True)


def test_first_sync_leaves_one_leaf_that_commits_to_every_row(connection: Connection) -> None:
    with tenant_scope(connection.tenant_id):
        leaf = AuditEntry.objects.get(action="accounts.synced")
        accounts = [account_row("account.created", account) for account in Account.objects.order_by("id")]
        rows = [transaction_row("transaction.created", row) for row in Transaction.objects.order_by("id")]
        openings = {str(row.id): plain_or_none(row.opening_balance) for row in Account.objects.all()}
    assert leaf.changes == {
        "added": [None, len(rows)],
        "modified": [None, 0],
        "removed": [None, 0],
        "accounts_added": [None, len(accounts)],
        "accounts_modified": [None, 0],
        "openings": [None, openings],
        "batch": batch_of([*accounts, *rows]),
    }


def test_later_leaf_commits_to_the_clients_words_that_a_row_took_over(connection: Connection, bank: Bank) -> None:
    kept = bank.add("-7", **COFFEE)
    pending = bank.add("-12.30", **COFFEE)
    sync(connection)
    words(connection, kept["id"], category="fun", note="alone")
    words(connection, pending["id"], category="team lunch", note="with Ana")
    bank.change(kept, amount="-8")
    posted = bank.post(pending)
    assert counts(sync(connection)) == (1, 1, 1)
    changed, old, new = (find_row(row["id"], connection.tenant_id) for row in (kept, pending, posted))
    assert (new.note, new.replaces_id) == ("with Ana", old.id)
    rows = {changed: "transaction.updated", old: "transaction.removed", new: "transaction.created"}
    with tenant_scope(connection.tenant_id):
        checking = Account.objects.get(subtype="checking")
        leaf = AuditEntry.objects.filter(action="accounts.synced").order_by("-position").first()
    assert leaf is not None
    assert leaf.changes["batch"] == batch_of(
        [
            account_row("account.updated", checking),
            *[transaction_row(rows[row], row) for row in sorted(rows, key=lambda row: row.id)],
        ]
    )


def test_first_sync_fixes_the_opening_so_that_both_balances_agree(connection: Connection, bank: Bank) -> None:
    state = bank.state()
    with tenant_scope(connection.tenant_id):
        accounts = {account.external_id: account for account in Account.objects.all()}
    for wire in state["accounts"]:
        account = accounts[wire["id"]]
        ledger = Decimal(state["balances"][wire["id"]]["ledger"])
        assert account.our_balance == account.provider_balance == (-ledger if wire["type"] == "credit" else ledger)
        assert account.drift == 0


def test_sync_without_news_writes_nothing(connection: Connection) -> None:
    with tenant_scope(connection.tenant_id):
        before = set(Transaction.objects.values_list("id", "version", "updated_at"))
        versions = set(Account.objects.values_list("id", "version"))
    run = sync(connection)
    assert (run.status, *counts(run)) == ("succeeded", 0, 0, 0)
    assert run.unchanged > 0
    with tenant_scope(connection.tenant_id):
        assert set(Transaction.objects.values_list("id", "version", "updated_at")) == before
        assert set(Account.objects.values_list("id", "version")) == versions
        assert AuditEntry.objects.filter(action="accounts.synced").count() == 1
    assert events_of(connection) == []


def test_later_sync_reads_the_overlap_only(connection: Connection, bank: Bank) -> None:
    run = sync(connection)
    total = sum(len(rows) for rows in bank.state()["transactions"].values())
    assert 0 < run.unchanged < total / 4


def test_new_row_is_created_with_its_event(connection: Connection, bank: Bank) -> None:
    new = bank.add("-12.30", **COFFEE)
    run = sync(connection)
    assert counts(run) == (1, 0, 0)
    row = find_row(new["id"], connection.tenant_id)
    assert (row.amount, row.status, row.version, row.category) == (Decimal("-12.30"), "pending", 1, "dining")
    assert events_of(connection) == [("transaction.created", new["id"])]
    assert_equal(bank, connection)


def test_charge_on_a_card_is_money_out(connection: Connection, bank: Bank) -> None:
    new = bank.add("40.00", subtype="credit_card", status="posted")
    sync(connection)
    assert find_row(new["id"], connection.tenant_id).amount == Decimal("-40.00")
    assert_equal(bank, connection)


def test_change_at_the_bank_keeps_the_clients_words(connection: Connection, bank: Bank) -> None:
    new = bank.add("-12.30", **COFFEE)
    sync(connection)
    words(connection, new["id"], category="team lunch", note="with Ana")
    bank.change(new, amount="-14.00", description="BLUE HERON", category="bar")
    assert counts(sync(connection)) == (0, 1, 0)
    row = find_row(new["id"], connection.tenant_id)
    assert (row.amount, row.description, row.version) == (Decimal("-14.00"), "BLUE HERON", 3)
    assert (row.category, row.provider_category, row.note) == ("team lunch", "bar", "with Ana")
    assert events_of(connection)[-1] == ("transaction.updated", new["id"])


def test_pending_that_posts_under_its_id_is_a_change(connection: Connection, bank: Bank) -> None:
    pending = bank.add("-12.30", **COFFEE)
    sync(connection)
    bank.post(pending, new_id=False)
    assert counts(sync(connection)) == (0, 1, 0)
    row = find_row(pending["id"], connection.tenant_id)
    assert (row.status, row.version, row.replaces_id) == ("posted", 2, None)
    assert_equal(bank, connection)


def test_pending_that_posts_under_a_new_id_hands_the_clients_words_over(connection: Connection, bank: Bank) -> None:
    pending = bank.add("-12.30", **COFFEE)
    sync(connection)
    words(connection, pending["id"], category="team lunch", note="with Ana")
    posted = bank.post(pending)
    assert counts(sync(connection)) == (1, 0, 1)
    old, new = (find_row(row["id"], connection.tenant_id) for row in (pending, posted))
    assert (new.status, new.replaces_id, new.category, new.note) == ("posted", old.id, "team lunch", "with Ana")
    assert (old.status, old.note) == ("removed", "with Ana")
    assert events_of(connection, since=2) == [
        ("transaction.removed", pending["id"]),
        ("transaction.created", posted["id"]),
    ]
    assert_equal(bank, connection)


def test_tip_does_not_hide_that_it_is_the_same_purchase(connection: Connection, bank: Bank) -> None:
    pending = bank.add("-50.00", description="THE BRASS RAIL", counterparty="THE BRASS RAIL")
    sync(connection)
    posted = bank.post(pending, amount="-60.00")
    sync(connection)
    replaced = find_row(posted["id"], connection.tenant_id).replaces
    assert replaced is not None
    assert replaced.external_id == pending["id"]


def test_another_purchase_does_not_take_a_pending_ones_place(connection: Connection, bank: Bank) -> None:
    pending = bank.add("-50.00", **COFFEE)
    sync(connection)
    bank.remove(pending)
    other = bank.add("-50.00", status="posted", description="SHELL OIL 57442", counterparty="SHELL")
    assert counts(sync(connection)) == (1, 0, 1)
    assert find_row(other["id"], connection.tenant_id).replaces_id is None


def test_pending_that_vanished_is_removed(connection: Connection, bank: Bank) -> None:
    pending = bank.add("-12.30", **COFFEE)
    sync(connection)
    bank.remove(pending)
    assert counts(sync(connection)) == (0, 0, 1)
    row = find_row(pending["id"], connection.tenant_id)
    assert (row.status, row.version) == ("removed", 2)
    assert events_of(connection)[-1] == ("transaction.removed", pending["id"])
    assert_equal(bank, connection)


def test_row_that_comes_back_is_restored(connection: Connection, bank: Bank) -> None:
    pending = bank.add("-12.30", **COFFEE)
    sync(connection)
    bank.remove(pending)
    sync(connection)
    bank.add("-12.30", transaction_id=pending["id"], status="posted", **COFFEE)
    assert counts(sync(connection)) == (0, 1, 0)
    row = find_row(pending["id"], connection.tenant_id)
    assert (row.status, row.version) == ("posted", 3)
    assert_equal(bank, connection)


def test_pending_that_posts_anew_is_replaced_again(connection: Connection, bank: Bank) -> None:
    pending = bank.add("-12.30", **COFFEE)
    sync(connection)
    first = bank.post(pending)
    sync(connection)
    bank.remove(first)
    bank.add("-12.30", transaction_id=pending["id"], **COFFEE)
    assert counts(sync(connection)) == (0, 1, 1)
    second = bank.post(pending)
    assert counts(sync(connection)) == (1, 0, 1)
    old, new = (find_row(row["id"], connection.tenant_id) for row in (pending, second))
    assert new.replaces_id == old.id
    with pytest.raises(TransactionRemoved) as refusal:
        words(connection, pending["id"], category="x", note="x")
    assert refusal.value.extra["replaced_by"] == new.id
    assert_equal(bank, connection)


def test_posted_row_that_vanished_is_believed_of_the_whole_history_only(connection: Connection, bank: Bank) -> None:
    row = bank.rows()[0]
    bank.remove(row)
    run = sync(connection)
    assert counts(run) == (0, 0, 1)
    assert run.unchanged >= len(bank.rows())
    assert_equal(bank, connection)


def test_posted_row_that_moved_out_of_the_window_is_not_removed(connection: Connection, bank: Bank) -> None:
    row = bank.rows()[0]
    long_ago = date.fromisoformat(row["date"]) - timedelta(days=90)
    bank.change(row, date=long_ago.isoformat())
    assert counts(sync(connection)) == (0, 1, 0)
    assert find_row(row["id"], connection.tenant_id).date == long_ago
    assert_equal(bank, connection)


@pytest.mark.parametrize("kind", ["duplicate", "reorder"])
def test_repeated_and_shuffled_rows_change_nothing(acme, bank: Bank, kind: str) -> None:
    bank.sandbox.fault(kind, rate=1)
    connection = make_connection(acme, bank.label)
    assert sync(connection).status == "succeeded"
    bank.add("-12.30", **COFFEE)
    assert counts(sync(connection)) == (1, 0, 0)
    bank.sandbox.clear_faults()
    assert_equal(bank, connection)


def test_closed_account_is_a_state_and_the_others_go_on(connection: Connection, bank: Bank) -> None:
    bank.close("savings")
    new = bank.add("-12.30", **COFFEE)
    assert counts(sync(connection)) == (1, 0, 0)
    with tenant_scope(connection.tenant_id):
        assert dict(Account.objects.values_list("subtype", "status")) == {
            "checking": "open",
            "savings": "closed",
            "credit_card": "open",
        } | dict(Account.objects.filter(subtype="money_market").values_list("subtype", "status"))
        assert Transaction.objects.filter(account__subtype="savings", status="removed").count() == 0
    assert find_row(new["id"], connection.tenant_id).status == "pending"


def test_account_that_was_given_up_needs_attention_and_keeps_its_rows(connection: Connection, bank: Bank) -> None:
    bank.give_up("savings")
    assert counts(sync(connection)) == (0, 0, 0)
    with tenant_scope(connection.tenant_id):
        savings = Account.objects.get(subtype="savings")
        assert (savings.status, savings.version) == ("needs_attention", 2)
        assert savings.transactions.filter(status="removed").count() == 0


def test_two_tenants_with_one_bank_login_do_not_meet(acme, globex, bank: Bank) -> None:
    ours, theirs = make_connection(acme, bank.label), make_connection(globex, bank.label)
    sync(ours)
    sync(theirs)
    new = bank.add("-12.30", **COFFEE)
    assert counts(sync(ours)) == (1, 0, 0)
    with tenant_scope(globex.id):
        assert not Transaction.objects.filter(external_id=new["id"]).exists()
        assert not Account.objects.filter(connection_id=ours.id).exists()
    assert counts(sync(theirs)) == (1, 0, 0)
    assert_equal(bank, theirs)


def test_account_tells_what_changed_of_it_and_nothing_else(connection: Connection, bank: Bank) -> None:
    created = account_events_of(connection)
    assert {(type_, version) for type_, _subtype, version in created} == {("account.created", 1)}
    assert sorted(subtype for _type, subtype, _version in created) == sorted(bank.accounts())
    sync(connection)
    assert account_events_of(connection) == created  # read again, and the same
    bank.close("savings")
    sync(connection)
    assert account_events_of(connection)[len(created) :] == [("account.updated", "savings", 2)]
    bank.add("-12.30", status="posted", **COFFEE)
    sync(connection)
    assert account_events_of(connection)[len(created) + 1 :] == [("account.updated", "checking", 2)]


def test_account_that_changed_alone_leaves_a_leaf_too(connection: Connection, bank: Bank) -> None:
    bank.give_up("savings")
    assert counts(sync(connection)) == (0, 0, 0)
    with tenant_scope(connection.tenant_id):
        savings = Account.objects.get(subtype="savings")
        leaf = AuditEntry.objects.filter(action="accounts.synced").order_by("-position").first()
        event = OutboxEvent.objects.get(type="account.updated")
    assert leaf is not None
    assert leaf.changes["accounts_modified"] == [None, 1]
    assert leaf.changes["batch"] == batch_of([account_row("account.updated", savings)])
    assert (event.entity_id, event.data["status"]) == (savings.id, "needs_attention")
