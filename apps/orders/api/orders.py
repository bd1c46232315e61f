"""Orders: placed, listed, read."""

from typing import Any, Never
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.enums import AccountMode
from apps.accounts.selectors import get_account
from apps.core import clock
from apps.core.api.bodies import decode_body
from apps.core.api.permissions import Permission
from apps.core.api.renderers import JSONRenderer, to_json
from apps.core.api.serializers import NoBody
from apps.core.api.views import IF_MATCH, KEY_SCHEMA, TenantListView, TenantView, etag
from apps.core.errors import DomainError, ValidationFailed
from apps.core.scope import tenant_scope
from apps.idempotency.http import fingerprint_of, read_key, replay, run_idempotently
from apps.idempotency.types import Answer
from apps.orders.api.order_bodies import OrderBody, ReplacementBody
from apps.orders.api.order_serializers import (
    DryRunSerializer,
    NewOrderSerializer,
    OrderEventSerializer,
    OrderQuery,
    OrderSerializer,
    ReplacementSerializer,
)
from apps.orders.enums import Mode
from apps.orders.errors import AccountNotTradable, ClientOrderIdTaken, LiveAccountRefused
from apps.orders.events import order_data
from apps.orders.models import Order, OrderEvent
from apps.orders.rules.snapshot import Decision
from apps.orders.rules.units import plain
from apps.orders.selectors import events_of, find_only_account, get_order, orders_for
from apps.orders.services.intake.judging import checks_for_people
from apps.orders.services.intake.placing import Placement, place_order
from apps.orders.services.intake.refreshing import with_fresh_inputs
from apps.orders.services.intake.replacing import Replacement, replace_order
from apps.orders.services.requests import request_cancel

IDEMPOTENCY_KEY = OpenApiParameter("Idempotency-Key", KEY_SCHEMA, OpenApiParameter.HEADER)


class OrderListView(TenantListView):
    """The orders of all accounts, and the way to place one."""

    required_permissions = {"GET": Permission.ORDERS_READ, "POST": Permission.ORDERS_WRITE}
    judged_with_resource = ("POST",)
    requires_key = True
    query_serializer = OrderQuery
    serializer_class = OrderSerializer

    @extend_schema(
        operation_id="list_orders",
        tags=["Orders"],
        summary="List orders",
        description="Newest first; `open=true` leaves out those that have come to their end.",
    )
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def rows(self) -> QuerySet[Order]:
        query = self.query
        return orders_for(
            tenant_id=self.tenant_id,
            account_id=query.get("account"),
            status=query.get("status"),
            instrument=query.get("instrument"),
            client_order_id=query.get("client_order_id"),
            since=query.get("since"),
            until=query.get("until"),
            is_open=query["open"],
        )

    @extend_schema(
        operation_id="place_order",
        tags=["Orders"],
        summary="Place an order",
        description=(
            "The risk gate decides at once; what it denies is an order too, with its `denial`. An approved order goes "
            "to the venue after this answer: its events tell what became of it. With `dry_run` the answer is 200 and "
            "says what the gate would decide."
        ),
        request=NewOrderSerializer,
        responses={200: DryRunSerializer, 201: OrderSerializer},
    )
    def post(self, request: Request) -> HttpResponseBase:
        key = read_key(request, required=self.requires_key)
        assert key is not None
        try:
            placement = self._placement(request, key)
        except DomainError as refusal:
            return self._refuse(refusal)
        show = _decision_answer if placement.is_dry_run else self._order_answer
        try:
            answer, is_replay = place_order(placement, show=show, actor=self.actor)
        except (AccountNotTradable, ClientOrderIdTaken) as refusal:
            return self._refuse(refusal)
        return replay(answer) if is_replay else _respond(answer)

    def _placement(self, request: Request, key: str) -> Placement:
        body = decode_body(request, OrderBody, OrderBody.MESSAGES)
        return Placement(
            account_id=body.account_id or self._only_account(),
            new=body.new_order(),
            key=key,
            fingerprint=fingerprint_of(self),
            only_paper=self.principal.only_paper,
            is_dry_run=body.dry_run,
        )

    def _only_account(self) -> UUID:
        with tenant_scope(self.tenant_id):
            found = find_only_account(tenant_id=self.tenant_id)
        if found is None:
            message = _("Name the account: the tenant has not exactly one open brokerage account.")
            raise ValidationFailed(errors=[{"field": "account_id", "code": "required", "message": message}])
        return found

    def _refuse(self, refusal: DomainError) -> Response:
        """Refuse as every other POST does: an earlier answer to the key comes first, then the 404."""

        def execute() -> Never:
            account_id = _legible_account(self.request.data)
            with tenant_scope(self.tenant_id):  # which shows granted accounts alone to whoever has only these
                account = account_id and get_account(tenant_id=self.tenant_id, account_id=account_id)
            if account and self.principal.only_paper and account.mode != AccountMode.PAPER:
                raise LiveAccountRefused
            raise refusal

        return run_idempotently(self, execute)

    def _order_answer(self, order: Order, shown: str, _decision: Decision) -> Answer:
        location = f"{self.request.path.rstrip('/')}/{order.id}"
        headers = {"ETag": etag(order.version), "Location": location}
        return Answer(status=201, headers=headers, body=shown.encode())


def _decision_answer(order: Order, _shown: str, decision: Decision) -> Answer:
    data = {
        "outcome": decision.outcome,
        "denial": {"code": order.denial_code, "detail": order.denial_detail} if order.denial_code else None,
        "checks": checks_for_people(decision.checks),
        "cost": plain(decision.cost),
    }
    return Answer(status=200, body=to_json(data))


def _respond(answer: Answer) -> HttpResponse:
    # Its bytes are those that were kept, so nothing is left for a renderer to do.
    return HttpResponse(
        answer.body, status=answer.status, headers=dict(answer.headers), content_type=JSONRenderer.media_type
    )


def _legible_account(data: Any) -> UUID | None:
    try:
        return UUID(str(data.get("account_id")))
    except ValueError:
        return None


class OrderView(TenantView):
    """One order, and the way to replace it."""

    required_permissions = {"GET": Permission.ORDERS_READ, "PATCH": Permission.ORDERS_WRITE}
    judged_with_resource = ("PATCH",)

    @extend_schema(operation_id="get_order", tags=["Orders"], summary="Read an order", responses=OrderSerializer)
    def get(self, request: Request, order_id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            return _show(get_order(tenant_id=self.tenant_id, order_id=order_id))

    @extend_schema(
        operation_id="replace_order",
        tags=["Orders"],
        summary="Replace an order",
        description=(
            "The answer is the new order, which `replaces` this one and goes through the risk gate. What it denies "
            "leaves this order as it is; otherwise this order is `pending` replace until the venue has answered."
        ),
        parameters=[IF_MATCH, IDEMPOTENCY_KEY],
        request=ReplacementSerializer,
        responses=OrderSerializer,
    )
    def patch(self, request: Request, order_id: UUID) -> Response:
        # What is not there, or not theirs, is a 404 before key and body are looked at.
        _require_order(self, order_id)

        def execute(is_last_try: bool) -> Response:
            replacement = Replacement(
                order_id=order_id,
                change=decode_body(request, ReplacementBody, ReplacementBody.MESSAGES).change(),
                expected_version=self.expected_version(),
            )
            return _show(replace_order(replacement, actor=self.actor, time=clock.now, is_last_try=is_last_try))

        def attempt(is_last_try: bool) -> Response:
            return run_idempotently(self, lambda: execute(is_last_try))

        return with_fresh_inputs(attempt, actor=self.actor, time=clock.now)


class OrderCancelView(TenantView):
    """The way to end an order."""

    required_permissions = {"POST": Permission.ORDERS_WRITE}
    judged_with_resource = ("POST",)

    @extend_schema(
        operation_id="cancel_order",
        tags=["Orders"],
        summary="Cancel an order",
        description=(
            "An order that has not left yet is denied at once. Any other is `pending` cancel until the venue has the "
            "last word: it may have been filled meanwhile. Asking again changes nothing."
        ),
        parameters=[IF_MATCH],
        request=None,
        responses={202: OrderSerializer},
    )
    def post(self, request: Request, order_id: UUID) -> Response:
        # What is not there, or not theirs, is a 404 before the key is looked at.
        _require_order(self, order_id)
        return run_idempotently(self, lambda: self._cancel(order_id))

    def _cancel(self, order_id: UUID) -> Response:
        self.parse(NoBody)
        order = request_cancel(
            order_id=order_id, expected_version=self.expected_version(), actor=self.actor, now=clock.now()
        )
        return _show(order, status=202)


def _require_order(view: TenantView, order_id: UUID) -> None:
    with tenant_scope(view.tenant_id):
        order = get_order(tenant_id=view.tenant_id, order_id=order_id)
    if view.principal.only_paper and order.mode != Mode.PAPER:
        raise LiveAccountRefused


def _show(order: Order, *, status: int = 200) -> Response:
    return Response(order_data(order), status=status, headers={"ETag": etag(order.version)})


class OrderEventListView(TenantListView):
    """What happened to an order."""

    required_permissions = {"GET": Permission.ORDERS_READ}
    serializer_class = OrderEventSerializer
    ordering = ("sequence",)

    @extend_schema(
        operation_id="list_order_events",
        tags=["Orders"],
        summary="List what happened to an order",
        description="Oldest first; `sequence` counts from 1, and is the order's version that came of it.",
    )
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def rows(self) -> QuerySet[OrderEvent]:
        order_id: UUID = self.kwargs["order_id"]
        return events_of(get_order(tenant_id=self.tenant_id, order_id=order_id))
