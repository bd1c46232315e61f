"""Reads: what is found, and by which index on a large table."""

import json
from datetime import date
from typing import Any

import pytest
from django.db import connection as database_connection
from django.db.models import QuerySet

from apps.accounts.models import Account, Transaction
from apps.accounts.selectors import transactions_for
from apps.core.scope import staff_scope, tenant_scope
from tests import databases
from tests.factories.accounts import make_account, make_transaction, make_transactions


@pytest.fixture
def large(acme, globex, database: str) -> Account:
    """An account of 20,000 transactions beside another tenant's 20,000, with the planner's statistics."""
    account = make_account(acme)
    make_transactions(account, 20_000)
    make_transactions(make_account(globex), 20_000)
    with databases.as_owner(database) as owner:
        owner.execute("ANALYZE")
    return account


def plan_of(rows: QuerySet[Any]) -> list[dict[str, Any]]:
    """Return the nodes of the query's plan, as finops_app gets it."""
    [explained] = json.loads(rows.explain(format="json", analyze=True))
    nodes, found = [explained["Plan"]], []
    while nodes:
        node = nodes.pop()
        found.append(node)
        nodes += node.get("Plans", [])
    return found


@pytest.mark.commits
def test_a_large_account_is_read_by_index(large: Account, database: str) -> None:
    """One account for all of it, since filling it takes its time."""
    a_page_reads_its_rows_off_an_index(large)
    the_staffs_page_reads_its_rows_off_an_index()
    search_reads_the_trigram_index_under_row_level_security(large, database)
    for status in ("pending", "removed"):
        a_page_of_what_is_rare_walks_no_posted_row(large, status)


def a_page_reads_its_rows_off_an_index(large: Account) -> None:
    with tenant_scope(large.tenant_id):
        for rows, index in (
            (transactions_for(tenant_id=large.tenant_id), "accounts_txn_list"),
            (transactions_for(tenant_id=large.tenant_id, account_id=large.id), "accounts_txn_by_account"),
        ):
            nodes = plan_of(rows.order_by("-date", "-id")[:51])
            # The Result is row-level security's check of the tenant, once a query.
            assert [node["Node Type"] for node in nodes] == ["Limit", "Result", "Index Scan"]
            assert (nodes[2]["Index Name"], nodes[2]["Scan Direction"]) == (index, "Backward")
            assert nodes[2]["Actual Rows"] == 51


def the_staffs_page_reads_its_rows_off_an_index() -> None:
    with staff_scope():
        nodes = plan_of(Transaction.objects.order_by("-date", "-id")[:51])
    assert [node["Node Type"] for node in nodes] == ["Limit", "Index Scan"]
    assert (nodes[1]["Index Name"], nodes[1]["Actual Rows"]) == ("accounts_txn_staff_list", 51)


def search_reads_the_trigram_index_under_row_level_security(large: Account, database: str) -> None:
    def scans() -> int:
        with database_connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_force_next_flush()")
        query = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'accounts_txn_search'"
        with databases.as_owner(database) as owner:
            [(count,)] = owner.execute(query).fetchall()
            return count

    make_transaction(large, external_id="needle", description="ZANZIBAR FERRY")
    before = scans()
    with tenant_scope(large.tenant_id):
        found = transactions_for(tenant_id=large.tenant_id, search="zibar fer")
        assert [row.external_id for row in found] == ["needle"]
    assert scans() > before


def a_page_of_what_is_rare_walks_no_posted_row(large: Account, status: str) -> None:
    for _ in range(3):
        make_transaction(large, status=status, date=date(2025, 1, 1))
    with tenant_scope(large.tenant_id):
        rows = transactions_for(tenant_id=large.tenant_id, status=status).order_by("-date", "-id")[:51]
        scan = plan_of(rows)[-1]
    # Both are short; which one is the cheaper, the planner's samples say.
    assert scan["Index Name"] in ("accounts_txn_not_posted", "accounts_txn_pending")
    assert scan["Actual Rows"] == 3
    assert scan.get("Rows Removed by Filter", 0) <= 3  # those of the other status
