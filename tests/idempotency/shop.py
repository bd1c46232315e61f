"""A tiny room with one POST endpoint, so that idempotency is specified apart from any real one.

`outcome` in the body chooses what its service does after its effect, one event, was written.
"""

from typing import Any
from uuid import UUID

from django.urls import path
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock, context, errors
from apps.core.actor import Actor
from apps.core.api.serializers import DecimalText, StrictSerializer
from apps.core.api.views import TenantView
from apps.core.errors import DomainError
from apps.core.ids import new_id
from apps.core.money import plain
from apps.core.objects import Objects
from apps.core.principal import Principal
from apps.idempotency.http import run_idempotently
from apps.outbox.services import emit
from tests.factories.outbox import new_event


class SoldOut(DomainError):
    """A conflict of this shop."""

    code = "test_sold_out"
    status = 409
    title = "Sold out"


class NotForSale(DomainError):
    """A refusal of this shop."""

    code = "test_not_for_sale"
    status = 422
    title = "Not for sale"


FAILURES: dict[str, Exception] = {
    "409": SoldOut("None is left.", left=0),
    "422": NotForSale(),
    "403": errors.PermissionMissing(),
    "412": errors.VersionConflict(),
    "413": errors.BodyTooLarge(),
    "429": errors.RateLimited(retry_after=3),
    "500": ZeroDivisionError(),
    "503": errors.ReadOnly(),
}


class HeaderAuthentication(BaseAuthentication):
    """Trust the tenant that `X-Tenant` names, and the API key of `X-Key`."""

    def authenticate(self, request: Request) -> tuple[None, Any]:
        request_id = context.current().request_id
        actor = Actor(
            kind="api_key",
            label="key",
            tenant_id=UUID(request.headers["X-Tenant"]),
            api_key_id=UUID(request.headers["X-Key"]) if "X-Key" in request.headers else None,
            request_id=request_id,
        )
        return None, Principal(actor=actor, permissions=frozenset({"buy"}))


class Anything(serializers.Field):
    """Whatever JSON holds."""

    def to_internal_value(self, data: Any) -> Any:
        return data


class Purchase(StrictSerializer):
    amount = DecimalText()
    outcome = serializers.ChoiceField(choices=["201", "204", *FAILURES], default="201")
    note = Anything(required=False)


class PurchaseList(TenantView):
    authentication_classes = [HeaderAuthentication]
    required_permissions = {"POST": "buy"}
    secret = False

    def post(self, request: Request, shelf: str) -> Response:
        if "X-Account" in request.headers:
            context.limit_to(Objects(accounts=frozenset({UUID(request.headers["X-Account"])})))
        return run_idempotently(self, lambda: self._buy(shelf), secret=self.secret)

    def _buy(self, shelf: str) -> Response:
        if shelf == "missing":
            raise errors.NotFound
        data = self.parse(Purchase)
        purchase_id = new_id()
        event = new_event(entity_type="purchase", entity_id=purchase_id)
        emit(event, actor=self.actor, now=clock.now())
        if data["outcome"] in FAILURES:
            raise FAILURES[data["outcome"]]
        if data["outcome"] == "204":
            return Response(status=204)
        body = {"id": purchase_id, "amount": plain(data["amount"]), "shelf": shelf, "at": clock.now()}
        headers = {"Location": f"/purchases/{purchase_id}", "ETag": '"1"', "X-Cost": "12"}
        return Response(body, status=201, headers=headers)


class PaymentList(PurchaseList):
    requires_key = True


class VoucherList(PurchaseList):
    secret = True


urlpatterns = [
    path("shop/<slug:shelf>/purchases", PurchaseList.as_view()),
    path("shop/<slug:shelf>/payments", PaymentList.as_view()),
    path("shop/<slug:shelf>/vouchers", VoucherList.as_view()),
]
