"""Connections that the sandbox serves, and their syncs, for tests."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection as database

import apps.accounts.tasks  # noqa: F401  (registers the handler)
from apps.accounts.models import Account, Holding, ObjectGrant, Transaction
from apps.accounts.services import grant_object
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.ids import new_id
from apps.core.scope import tenant_scope, write_scope
from apps.jobs.runner import run_next
from apps.providers.models import Connection, SyncRun
from apps.providers.services import create_connection, request_sync
from apps.providers.types import SYNC_CONNECTION
from apps.tenants.models import Membership, Tenant
from apps.users.models import User


def make_connection(tenant: Tenant, label: str, *, now: datetime | None = None) -> Connection:
    """Connect the tenant to the sandbox's enrolment `test_tkn_<label>`; its first sync is queued, not run."""
    return create_connection(
        provider="teller",
        credentials={"access_token": f"test_tkn_{label}"},
        label=label,
        actor=system_actor("tests", tenant_id=tenant.id),
        now=now or clock.now(),
    )


def sync(connection: Connection) -> SyncRun:
    """Ask for a sync (or take the one that waits), run its job in this process, and return the run."""
    actor = system_actor("tests", tenant_id=connection.tenant_id)
    run = request_sync(connection_id=connection.id, trigger="api", actor=actor, now=clock.now())
    run_next(SYNC_CONNECTION.queue, worker="tests")
    with tenant_scope(connection.tenant_id):
        return SyncRun.objects.get(id=run.id)


def make_account(tenant: Tenant, *, connection: Connection | None = None, **values: Any) -> Account:
    """Create an open USD account, without asking a provider."""
    connection = connection or _bare_connection(tenant)
    created = clock.now()
    defaults: dict[str, Any] = {
        "external_id": f"acc_{new_id().hex}",
        "name": "Everyday Checking",
        "kind": "depository",
        "subtype": "checking",
        "currency": "USD",
        "last_four": "4242",
        "institution": "Bank of Many",
        "status": "open",
        "first_read_at": created,
        "created_at": created,
        "updated_at": created,
    }
    with write_scope(system_actor("tests", tenant_id=tenant.id)):
        return Account.objects.create(
            tenant_id=tenant.id,
            connection=connection,
            provider=connection.provider,
            **{**defaults, **values},
        )


def make_transaction(account: Account, amount: str = "-12.30", **values: Any) -> Transaction:
    """Create a posted transaction, without asking a provider and without touching balances."""
    created = clock.now()
    defaults: dict[str, Any] = {
        "external_id": f"txn_{new_id().hex}",
        "currency": account.currency,
        "date": date(2026, 3, 1),
        "description": "TRADER JOE S #542",
        "counterparty": "TRADER JOE'S",
        "provider_category": "groceries",
        "status": "posted",
        "created_at": created,
        "updated_at": created,
    }
    with write_scope(system_actor("tests", tenant_id=account.tenant_id)):
        return Transaction.objects.create(
            tenant_id=account.tenant_id,
            account=account,
            amount=Decimal(amount),
            **{**defaults, **values},
        )


def make_holding(account: Account, symbol: str = "AAPL", quantity: str = "10", **values: Any) -> Holding:
    """Create what an account holds, without asking a provider: bought at 180, now at 190."""
    held = Decimal(quantity)
    defaults: dict[str, Any] = {
        "external_id": f"asset-{symbol}",
        "average_price": Decimal(180),
        "market_price": Decimal(190),
        "market_value": held * 190,
        "cost_basis": held * 180,
        "as_of": clock.now(),
    }
    with write_scope(system_actor("tests", tenant_id=account.tenant_id)):
        return Holding.objects.create(
            tenant_id=account.tenant_id, account=account, symbol=symbol, quantity=held, **{**defaults, **values}
        )


def make_transactions(account: Account, count: int) -> None:
    """Create many posted transactions over the days before 2026-03-01, in one statement."""
    with write_scope(system_actor("tests", tenant_id=account.tenant_id)), database.cursor() as cursor:
        cursor.execute(
            """INSERT INTO accounts_transaction (id, tenant_id, account_id, external_id, amount, currency, date,
                   description, counterparty, provider_category, category_override, note, status, version, created_at,
                   updated_at)
               SELECT gen_random_uuid(), %s, %s, 'txn_' || n, -n, 'USD', DATE '2026-03-01' - n %% 700,
                   'PAYMENT ' || n, 'SHOP ' || n %% 50, 'shopping', '', '', 'posted', 1, now(), now()
               FROM generate_series(1, %s) AS n""",
            [account.tenant_id, account.id, count],
        )


def _bare_connection(tenant: Tenant) -> Connection:
    return make_connection(tenant, f"bare-{new_id().hex[-12:]}")


def make_grant(tenant: Tenant, member: User, permission: str, account: Account) -> ObjectGrant:
    """Grant a member a permission for one account."""
    actor = system_actor("tests", tenant_id=tenant.id)
    with write_scope(actor):
        member_id = Membership.objects.get(user_id=member.id).id
    return grant_object(
        member_id=member_id,
        permission=permission,
        object_type="account",
        object_id=account.id,
        actor=actor,
        now=clock.now(),
    )
