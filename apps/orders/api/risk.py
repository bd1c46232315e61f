"""Limits of accounts, and what the risk gate decided."""

from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.permissions import Permission
from apps.core.api.views import IF_MATCH, TenantListView, TenantView, etag
from apps.core.scope import tenant_scope
from apps.orders.api.risk_serializers import DecisionQuery, DecisionSerializer, LimitsChange, LimitsSerializer
from apps.orders.models import RiskAccount, RiskDecision
from apps.orders.selectors import decisions_for
from apps.orders.services.accounts import find_risk_account
from apps.orders.services.limits import set_limits


class RiskLimitsView(TenantView):
    """The limits of one account."""

    required_permissions = {"GET": Permission.RISK_READ, "PUT": Permission.RISK_WRITE}

    @extend_schema(
        operation_id="get_risk_limits",
        tags=["Risk"],
        summary="Read an account's limits",
        description="An account that never traded has the installation's. Connected twice, it has one set of limits.",
        responses=LimitsSerializer,
    )
    def get(self, request: Request, account_id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            return _answer(account_id, find_risk_account(account_id=account_id, now=clock.now()))

    @extend_schema(
        operation_id="set_risk_limits",
        tags=["Risk"],
        summary="Set an account's limits",
        description="The next order is judged by them; orders that are out stay. A limit that is left out stays.",
        parameters=[IF_MATCH],
        request=LimitsChange,
        responses=LimitsSerializer,
    )
    def put(self, request: Request, account_id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            # What is not there, or not theirs, is a 404 before the body is looked at.
            find_risk_account(account_id=account_id, now=clock.now())
        risk_account = set_limits(
            account_id=account_id,
            limits=self.parse(LimitsChange),
            expected_version=self.expected_version(),
            actor=self.actor,
            now=clock.now(),
        )
        return _answer(account_id, risk_account)


def _answer(account_id: UUID, risk_account: RiskAccount) -> Response:
    # An account that is connected twice has one set of limits; it is shown as the account that was asked for.
    shown = LimitsSerializer(risk_account).data | {"account_id": account_id}
    return Response(shown, headers={"ETag": etag(risk_account.version)})


class RiskDecisionListView(TenantListView):
    """The decisions of the risk gate, the newest first."""

    required_permissions = {"GET": Permission.RISK_READ}
    query_serializer = DecisionQuery
    serializer_class = DecisionSerializer

    @extend_schema(
        operation_id="list_risk_decisions",
        tags=["Risk"],
        summary="List the risk gate's decisions",
        description="Newest first, each with everything that it was made upon.",
    )
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def rows(self) -> QuerySet[RiskDecision]:
        query = self.query
        return decisions_for(
            tenant_id=self.tenant_id,
            account_id=query.get("account"),
            order_id=query.get("order"),
            outcome=query.get("outcome"),
        )
