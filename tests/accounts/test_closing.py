"""What becomes of a connection's accounts when it is let go: they are closed, and stay as history."""

from datetime import datetime

import pytest
from rest_framework.test import APIClient

from apps.accounts.events import ACCOUNT_UPDATED, account_data
from apps.accounts.models import Account
from apps.accounts.rows import account_bytes
from apps.audit.merkle import leaf_hash
from apps.audit.models import AuditEntry
from apps.core.actor import Actor, system_actor
from apps.core.canonical import jsonable
from apps.core.scope import tenant_scope
from apps.outbox.models import OutboxEvent
from apps.providers.services import delete_connection
from tests.factories.accounts import make_account, make_connection, make_holding


@pytest.fixture
def actor(acme) -> Actor:
    return system_actor("tests", tenant_id=acme.id)


def test_the_accounts_of_a_deleted_connection_are_closed_each_with_its_leaf_and_event(
    acme, actor: Actor, now: datetime
) -> None:
    connection = make_connection(acme, "leaving")
    told = {status: make_account(acme, connection=connection, status=status) for status in ("open", "needs_attention")}
    closed, others = make_account(acme, connection=connection, status="closed"), make_account(acme)

    delete_connection(connection_id=connection.id, actor=actor, now=now)

    with tenant_scope(acme.id):
        rows = {row.id: row for row in Account.objects.all()}
        leaves = {row.target_id: row for row in AuditEntry.objects.filter(action=ACCOUNT_UPDATED)}
        events = {row.entity_id: row for row in OutboxEvent.objects.filter(type=ACCOUNT_UPDATED)}
    assert events.keys() == {row.id for row in told.values()}
    assert leaves.keys() == {str(row_id) for row_id in events}
    for before, account in told.items():
        row = rows[account.id]
        assert (row.status, row.version, row.updated_at) == ("closed", 2, now)
        assert leaves[str(row.id)].target_type == "account"
        batch = {"count": 1, "merkle_root": leaf_hash(account_bytes("account.updated", row)).hex()}
        assert leaves[str(row.id)].changes == {"status": [before, "closed"], "batch": batch}
        assert events[row.id].data == jsonable(account_data(row))
    assert (rows[closed.id].version, rows[others.id].status, rows[others.id].version) == (1, "open", 1)


def test_deleting_it_again_changes_nothing(acme, actor: Actor, now: datetime) -> None:
    account = make_account(acme)
    for _ in range(2):
        delete_connection(connection_id=account.connection_id, actor=actor, now=now)
    with tenant_scope(acme.id):
        assert Account.objects.get().version == 2
        assert OutboxEvent.objects.filter(type=ACCOUNT_UPDATED).count() == 1


def test_what_it_held_shows_only_when_the_account_is_asked_for(
    acme, acme_viewer: APIClient, actor: Actor, now: datetime
) -> None:
    gone, stays = make_account(acme), make_account(acme)
    make_holding(gone, "AAPL")
    make_holding(stays, "MSFT")
    delete_connection(connection_id=gone.connection_id, actor=actor, now=now)

    def symbols(**query: str) -> list[str]:
        return [row["symbol"] for row in acme_viewer.get("/api/v1/holdings", query).json()["data"]]

    assert symbols() == ["MSFT"]
    assert symbols(account=str(gone.id)) == ["AAPL"]
    shown = {row["id"]: row["status"] for row in acme_viewer.get("/api/v1/accounts").json()["data"]}
    assert shown == {str(gone.id): "closed", str(stays.id): "open"}
