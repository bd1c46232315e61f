"""The kill switch of the tenant and of its accounts."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.permissions import Permission
from apps.core.api.views import IF_MATCH, TenantView, etag
from apps.core.scope import tenant_scope
from apps.orders.api.risk_serializers import KillSwitchChange, KillSwitchSerializer
from apps.orders.enums import SwitchScope
from apps.orders.services.kill_switch import read_kill_switches, set_kill_switch


class KillSwitchView(TenantView):
    """What stops the tenant's trading."""

    required_permissions = {"GET": Permission.RISK_READ, "PUT": Permission.KILL_SWITCH_WRITE}

    @extend_schema(
        operation_id="get_kill_switch",
        tags=["Risk"],
        summary="Read the kill switch",
        responses=KillSwitchSerializer,
    )
    def get(self, request: Request) -> Response:
        return self._answer()

    @extend_schema(
        operation_id="set_kill_switch",
        tags=["Risk"],
        summary="Engage or release the kill switch",
        description=(
            "Of the tenant, or with `account_id` of one account. An order that is being sent at this moment is waited "
            "for, at most some seconds; once the answer has come with `orders_in_flight` false, no order goes out. "
            "Orders that were approved and not sent yet are denied, cancels still go through. `If-Match` names the "
            "version of the switch that is set."
        ),
        parameters=[IF_MATCH],
        request=KillSwitchChange,
        responses=KillSwitchSerializer,
    )
    def put(self, request: Request) -> Response:
        wanted = self.parse(KillSwitchChange)
        set_kill_switch(
            scope=SwitchScope.ACCOUNT if wanted["account_id"] else SwitchScope.TENANT,
            expected_version=self.expected_version(),
            actor=self.actor,
            now=clock.now(),
            **wanted,
        )
        return self._answer()

    def _answer(self) -> Response:
        with tenant_scope(self.tenant_id):
            state = read_kill_switches()
        headers = {"ETag": etag(state.tenant.version)} if state.tenant else None
        return Response(KillSwitchSerializer(state).data, headers=headers)
