"""`accounts.rows`, `accounts.openings`: what stands in the tables is what the audit log says of it, row by row."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from apps.accounts.models import Account, Holding, Transaction
from apps.accounts.services import annotate_transaction, close_accounts
from apps.accounts.verification.rows import RANGE_ROWS
from apps.audit.models import AuditEntry
from apps.audit.selectors import prove_row
from apps.audit.services import sequence_entries
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.ids import new_id
from apps.core.money import plain
from apps.core.scope import snapshot_scope, tenant_scope
from apps.providers.models import Connection
from tests.accounts.bank import Bank, find_row
from tests.factories.accounts import make_account, make_connection, make_transaction, sync
from tests.tampering import found, looked_at, raw_tables, tamper

pytestmark = pytest.mark.worker_login

CHECKS = ("accounts.balances", "accounts.openings", "accounts.rows")


@pytest.fixture
def connection(acme, bank: Bank) -> Connection:
    """A connection that was synced once."""
    connection = make_connection(acme, bank.label)
    assert sync(connection).status == "succeeded"
    return connection


def ids_of(model: type[Account | Transaction | Holding]) -> list[UUID]:
    with snapshot_scope():
        return list(model.objects.order_by("id").values_list("id", flat=True))


def annotate(connection: Connection, wire: dict[str, Any], note: str) -> UUID:
    """Write a note about a row of the bank; return ours."""
    row, actor = find_row(wire["id"], connection.tenant_id), system_actor("tests", tenant_id=connection.tenant_id)
    return annotate_transaction(transaction_id=row.id, note=note, actor=actor, now=clock.now()).id


def entry_about(connection: Connection, action: str = "accounts.synced") -> AuditEntry:
    with tenant_scope(connection.tenant_id):
        return AuditEntry.objects.filter(action=action).latest("position")


def committed(entry: AuditEntry, row_id: UUID) -> str:
    assert entry.tenant_id is not None
    with tenant_scope(entry.tenant_id):
        proof = prove_row(tenant_id=entry.tenant_id, entry_id=entry.id, row_id=row_id)
    return f"row hash {proof.row_hash.hex()}, of entry {entry.id}"


def altered_rows(*checks: str) -> list[tuple[str, str, str]]:
    """Return table, row and what was expected; what is there is another hash."""
    findings = found(*(checks or CHECKS))
    assert all(there.startswith("row hash ") for _table, _row, _expected, there in findings), findings
    return [finding[:3] for finding in findings]


@contextmanager
def altered(table: str, changes: Mapping[UUID, tuple[str, str]]) -> Iterator[None]:
    """Change a column of each row past everything that forbids it, and put the rows back."""
    with raw_tables() as owner:
        owner.execute(f"CREATE TEMP TABLE kept AS SELECT * FROM {table} WHERE id = ANY(%s)", [list(changes)])
        for row_id, (column, value) in changes.items():
            owner.execute(f"UPDATE {table} SET {column} = {value} WHERE id = %s", [row_id])
        yield
        owner.execute(f"DELETE FROM {table} WHERE id = ANY(%s)", [list(changes)])
        owner.execute(f"INSERT INTO {table} TABLE kept")
        owner.execute("DROP TABLE kept")


def test_what_syncs_and_people_write_is_proved(connection: Connection, bank: Bank) -> None:
    kept, pending, gone = bank.add("-7"), bank.add("-12.30"), bank.add("-1")
    sync(connection)
    annotate(connection, kept, "alone")
    sequence_entries(now=clock.now())
    annotate(connection, pending, 'with "Ana", ana@acme.example\n½')
    bank.change(kept, amount="-8")
    bank.post(pending)
    bank.remove(gone)
    sync(connection)
    close_accounts(connection, system_actor("tests", tenant_id=connection.tenant_id), clock.now())
    assert looked_at("accounts.rows") == len(ids_of(Account)) + len(ids_of(Transaction))
    assert looked_at("accounts.openings") == len(ids_of(Account))


def test_amounts_that_were_altered_and_add_up_as_before_are_found(connection: Connection) -> None:
    with snapshot_scope():
        posted = Transaction.objects.filter(status="posted", account=Account.objects.order_by("id")[0])
        rows = list(posted.order_by("id").values_list("id", flat=True)[:2])
    for row, by in zip(rows, (5, -5), strict=True):
        tamper("UPDATE accounts_transaction SET amount = amount + %s WHERE id = %s", by, row)
    entry = entry_about(connection)
    assert found("accounts.balances") == []
    assert altered_rows() == [("accounts_transaction", str(row), committed(entry, row)) for row in rows]


TRANSACTION = {
    "amount": "amount + 1",
    "currency": "'EUR'",
    "date": "date - 1",
    "description": "'RENT'",
    "counterparty": "'X'",
    "provider_category": "'x'",
    "category_override": "'x'",
    "note": "'x'",
    "status": "'removed'",
    "external_id": "'txn_x'",
    "account_id": "gen_random_uuid()",
    "replaces_id": "id",
}
ACCOUNT = {
    "name": "'X'",
    "kind": "'loan'",
    "subtype": "'x'",
    "mode": "'paper'",
    "currency": "'EUR'",
    "last_four": "'9999'",
    "institution": "'X'",
    "status": "'closed'",
    "provider_balance": "provider_balance + 1",
    "provider_available": "NULL",
    "opening_balance": "opening_balance + 1",
    "posted_total": "posted_total + 1",
    "external_id": "'acc_x'",
    "connection_id": "gen_random_uuid()",
}


def test_any_altered_column_is_found(connection: Connection) -> None:
    entry = entry_about(connection)
    for model, columns in ((Transaction, TRANSACTION), (Account, ACCOUNT)):
        rows, changes = ids_of(model), list(columns.items())
        for first in range(0, len(changes), len(rows)):
            part = dict(zip(rows, changes[first:], strict=False))
            with altered(model._meta.db_table, part):
                expected = [(model._meta.db_table, str(row), committed(entry, row)) for row in part]
                assert altered_rows("accounts.rows") == expected, part
    assert found(*CHECKS) == []


def test_an_altered_opening_is_found_after_syncs_have_taken_it_over(connection: Connection, bank: Bank) -> None:
    entry, row = entry_about(connection), entry_about(connection).changes["openings"][1]
    with snapshot_scope():
        account = Account.objects.get(subtype="checking")
    opening = row[str(account.id)]
    tamper("UPDATE accounts_account SET opening_balance = opening_balance + 100 WHERE id = %s", account.id)
    expected, there = f"opening {opening}, as entry {entry.id} says", f"opening {plain(Decimal(opening) + 100)}"
    finding = ("accounts_account", str(account.id), expected, there)
    assert found("accounts.openings") == [finding]
    bank.add("-7", status="posted")
    sync(connection)
    assert found(*CHECKS) == [finding]
    tamper("UPDATE accounts_account SET opening_balance = NULL WHERE id = %s", account.id)
    assert found("accounts.openings") == [(*finding[:3], "opening gone")]


def test_rows_that_came_or_went_past_the_platform_are_found(connection: Connection) -> None:
    entry, [account, *_], [row, *_] = entry_about(connection), ids_of(Account), ids_of(Transaction)
    copy = new_id()
    tamper("CREATE TABLE kept AS SELECT * FROM accounts_transaction WHERE id = %s", row)
    tamper("UPDATE kept SET id = %s, external_id = 'txn_more'", copy)
    tamper("INSERT INTO accounts_transaction TABLE kept")
    tamper("DELETE FROM accounts_transaction WHERE id = %s", row)
    tamper("DELETE FROM accounts_account WHERE id = %s", account)
    assert found("accounts.rows") == [
        ("accounts_transaction", str(copy), "an entry that commits to it", "none"),
        ("accounts_account", str(account), f"the row that entry {entry.id} commits to", "no row"),
        ("accounts_transaction", str(row), f"the row that entry {entry.id} commits to", "no row"),
    ]


def test_a_row_that_was_put_back_to_what_it_was_is_found(connection: Connection, bank: Bank) -> None:
    wire = bank.add("-7")
    sync(connection)
    row = annotate(connection, wire, "paid twice")
    entry = entry_about(connection, "transaction.updated")
    finding = ("accounts_transaction", str(row), committed(entry, row))
    tamper("UPDATE accounts_transaction SET note = '', version = 1 WHERE id = %s", row)
    assert altered_rows() == [finding]
    # To hide it, the entry's batch may be said to be of another row: then that one is missed.
    other = new_id()
    tamper("UPDATE audit_batch_chunk SET row_ids = %s WHERE entry_id = %s", other.bytes, entry.id)
    gone = ("accounts_transaction", str(other), f"the row that entry {entry.id} commits to", "no row")
    assert found(*CHECKS) == [(*gone[:3], "no row")]


def test_a_row_that_nothing_tells_of_is_found(acme) -> None:
    row = make_transaction(make_account(acme))
    assert [(table, key) for table, key, _expected, _there in found("accounts.rows")] == [
        ("accounts_account", str(row.account_id)),
        ("accounts_transaction", str(row.id)),
    ]


@pytest.mark.prove
def test_one_row_of_each_range_of_many_is_found(acme, bank: Bank) -> None:
    """More rows than are held to the log at once."""
    connection = make_connection(acme, f"bulk{2 * RANGE_ROWS + 10_000}")
    assert sync(connection).status == "succeeded"
    assert looked_at("accounts.rows") == 2 * RANGE_ROWS + 10_001
    rows = ids_of(Transaction)
    chosen = [rows[0], rows[RANGE_ROWS - 2], rows[RANGE_ROWS - 1], rows[RANGE_ROWS], rows[-1]]
    for row in chosen:
        tamper("UPDATE accounts_transaction SET description = 'RENT' WHERE id = %s", row)
    entry = entry_about(connection)
    assert altered_rows() == [("accounts_transaction", str(row), committed(entry, row)) for row in chosen]
