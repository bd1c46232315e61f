"""Accounts, transactions and holdings of the tenant."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import selectors
from apps.accounts.api.rows import answer_columns, answer_rows
from apps.accounts.api.serializers import (
    AccountSerializer,
    HoldingQuery,
    HoldingSerializer,
    TransactionChange,
    TransactionQuery,
    TransactionSerializer,
)
from apps.accounts.models import Account, Holding, Transaction
from apps.accounts.services import annotate_transaction
from apps.core import clock
from apps.core.api.permissions import Permission
from apps.core.api.views import IF_MATCH, TenantListView, TenantView, etag
from apps.core.scope import tenant_scope


class AccountListView(TenantListView):
    """The accounts of all connections, the newest first."""

    required_permissions = {"GET": Permission.ACCOUNTS_READ}
    serializer_class = AccountSerializer

    @extend_schema(
        operation_id="list_accounts",
        tags=["Accounts"],
        summary="List accounts",
        description=(
            "The newest first, closed ones too. An account is `closed` once its provider says so or its connection "
            "is deleted; what it last had stays to be read."
        ),
    )
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def rows(self) -> QuerySet[Account]:
        return selectors.accounts_for(tenant_id=self.tenant_id)


class AccountView(TenantView):
    """One account."""

    required_permissions = {"GET": Permission.ACCOUNTS_READ}

    @extend_schema(
        operation_id="get_account",
        tags=["Accounts"],
        summary="Read an account",
        description="With both balances, ours and the provider's, and their difference.",
        responses=AccountSerializer,
    )
    def get(self, request: Request, account_id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            account = selectors.get_account(tenant_id=self.tenant_id, account_id=account_id)
        return Response(AccountSerializer(account).data)


class TransactionListView(TenantListView):
    """The transactions of all accounts, the newest first."""

    required_permissions = {"GET": Permission.TRANSACTIONS_READ}
    query_serializer = TransactionQuery
    serializer_class = TransactionSerializer
    ordering = ("-date", "-id")

    @extend_schema(
        operation_id="list_transactions",
        tags=["Accounts"],
        summary="List transactions",
        description=(
            "Newest first. Removed transactions show only with `status=removed`. `search` finds text, whatever its "
            "case, in description, counterparty and note."
        ),
    )
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def rows(self) -> QuerySet[Any]:
        query = self.query
        rows = selectors.transactions_for(
            tenant_id=self.tenant_id,
            account_id=query.get("account"),
            since=query.get("since"),
            until=query.get("until"),
            status=query.get("status"),
            search=query.get("search"),
        )
        return answer_columns(rows)

    def serialize(self, rows: Sequence[Any]) -> list[Any]:
        return answer_rows(rows)


class TransactionView(TenantView):
    """One transaction, and the client's words about it."""

    required_permissions = {"GET": Permission.TRANSACTIONS_READ, "PATCH": Permission.TRANSACTIONS_WRITE}
    judged_with_resource = ("PATCH",)

    @extend_schema(
        operation_id="get_transaction",
        tags=["Accounts"],
        summary="Read a transaction",
        description="Removed ones too.",
        responses=TransactionSerializer,
    )
    def get(self, request: Request, transaction_id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            row = selectors.get_transaction(tenant_id=self.tenant_id, transaction_id=transaction_id)
        return _answer(row)

    @extend_schema(
        operation_id="annotate_transaction",
        tags=["Accounts"],
        summary="Set a transaction's category and note",
        description="A sync never overwrites them, and they follow a pending transaction to the one that posts it.",
        parameters=[IF_MATCH],
        request=TransactionChange,
        responses=TransactionSerializer,
    )
    def patch(self, request: Request, transaction_id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            # What is not there, or not theirs, is a 404 before the body is looked at.
            selectors.get_transaction(tenant_id=self.tenant_id, transaction_id=transaction_id)
        words = {name: value or "" for name, value in self.parse(TransactionChange).items()}
        row = annotate_transaction(
            transaction_id=transaction_id,
            expected_version=self.expected_version(),
            actor=self.actor,
            now=clock.now(),
            **words,
        )
        return _answer(row)


class HoldingListView(TenantListView):
    """What the accounts hold beside money."""

    required_permissions = {"GET": Permission.ACCOUNTS_READ}
    query_serializer = HoldingQuery
    serializer_class = HoldingSerializer

    @extend_schema(
        operation_id="list_holdings",
        tags=["Accounts"],
        summary="List holdings",
        description=(
            "As the providers told at each account's last sync; prices are of then. Trades made here move "
            "`/positions` at once. What closed accounts held last shows only with `account`."
        ),
    )
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def rows(self) -> QuerySet[Holding]:
        return selectors.holdings_for(tenant_id=self.tenant_id, account_id=self.query.get("account"))


def _answer(row: Transaction) -> Response:
    return Response(TransactionSerializer(row).data, headers={"ETag": etag(row.version)})
