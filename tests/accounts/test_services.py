"""The client's words about a transaction."""

from datetime import datetime
from hashlib import sha256

import pytest

from apps.accounts.errors import TransactionRemoved
from apps.accounts.models import Transaction
from apps.accounts.services import annotate_transaction
from apps.audit.models import AuditEntry
from apps.core.actor import Actor, system_actor
from apps.core.errors import NotFound, VersionConflict
from apps.core.scope import tenant_scope
from apps.outbox.models import OutboxEvent
from tests.factories.accounts import make_account, make_transaction


@pytest.fixture
def row(acme) -> Transaction:
    return make_transaction(make_account(acme))


@pytest.fixture
def actor(acme) -> Actor:
    return system_actor("tests", tenant_id=acme.id)


def records(row: Transaction) -> tuple[int, int]:
    with tenant_scope(row.tenant_id):
        return (
            AuditEntry.objects.filter(target_id=str(row.id)).count(),
            OutboxEvent.objects.filter(entity_id=row.id).count(),
        )


def test_words_are_stored_and_recorded(row: Transaction, actor: Actor, now: datetime) -> None:
    changed = annotate_transaction(transaction_id=row.id, category="team", note="with Ana", actor=actor, now=now)
    assert (changed.category, changed.note, changed.version, changed.updated_at) == ("team", "with Ana", 2, now)
    with tenant_scope(row.tenant_id):
        leaf = AuditEntry.objects.get(target_id=str(row.id))
        event = OutboxEvent.objects.get(entity_id=row.id)
    assert leaf.action == event.type == "transaction.updated"
    as_it_is_now = (
        f'["transaction.updated","{row.id}","{row.account_id}","{row.external_id}","-12.3","USD","2026-03-01",'
        '"TRADER JOE S #542","TRADER JOE\'S","groceries","posted","team","with Ana",""]'
    )
    assert leaf.changes == {
        "category": ["", "team"],
        "note": ["", "with Ana"],
        "batch": {"count": 1, "merkle_root": sha256(b"\x00" + as_it_is_now.encode()).hexdigest()},
    }
    assert (event.data["category"], event.data["note"], event.data["version"]) == ("team", "with Ana", 2)


def test_word_not_given_stays(row: Transaction, actor: Actor, now: datetime) -> None:
    annotate_transaction(transaction_id=row.id, category="team", note="with Ana", actor=actor, now=now)
    changed = annotate_transaction(transaction_id=row.id, note="with Bo", actor=actor, now=now)
    assert (changed.category, changed.note) == ("team", "with Bo")


def test_empty_category_shows_the_providers_again(row: Transaction, actor: Actor, now: datetime) -> None:
    annotate_transaction(transaction_id=row.id, category="team", actor=actor, now=now)
    changed = annotate_transaction(transaction_id=row.id, category="", actor=actor, now=now)
    assert (changed.category, changed.version) == ("groceries", 3)


def test_saying_what_is_so_leaves_no_record(row: Transaction, actor: Actor, now: datetime) -> None:
    annotate_transaction(transaction_id=row.id, note="with Ana", actor=actor, now=now)
    before = records(row)
    same = annotate_transaction(transaction_id=row.id, note="with Ana", actor=actor, now=now)
    assert (same.version, records(row)) == (2, before)


def test_stale_version_changes_nothing(row: Transaction, actor: Actor, now: datetime) -> None:
    with pytest.raises(VersionConflict):
        annotate_transaction(transaction_id=row.id, note="x", expected_version=7, actor=actor, now=now)
    with tenant_scope(row.tenant_id):
        row.refresh_from_db()
    assert (row.note, row.version, records(row)) == ("", 1, (0, 0))


def test_removed_row_is_refused_and_names_its_successor(acme, actor: Actor, now: datetime) -> None:
    account = make_account(acme)
    old = make_transaction(account, status="removed")
    with pytest.raises(TransactionRemoved) as lonely:
        annotate_transaction(transaction_id=old.id, note="x", actor=actor, now=now)
    new = make_transaction(account, replaces=old)
    with pytest.raises(TransactionRemoved) as replaced:
        annotate_transaction(transaction_id=old.id, note="x", actor=actor, now=now)
    assert (lonely.value.extra["replaced_by"], replaced.value.extra["replaced_by"]) == (None, new.id)
    assert records(old) == (0, 0)


def test_another_tenants_row_is_not_found(row: Transaction, globex, now: datetime) -> None:
    stranger = system_actor("tests", tenant_id=globex.id)
    with pytest.raises(NotFound):
        annotate_transaction(transaction_id=row.id, note="x", actor=stranger, now=now)
    assert records(row) == (0, 0)
