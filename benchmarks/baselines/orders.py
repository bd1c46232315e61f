"""Order intake in plain Django REST framework and ORM: serializers in and out, a query for each thing that is read, a
save for each row that is written.

Authentication, permission, row-level security, the idempotency wrapper, the rules of the gate and the spine's services
(audit, outbox, jobs) are the platform's, as in every other POST of ours. The rows are the same, column by column.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Greatest
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import Account
from apps.audit import services as audit
from apps.core import clock
from apps.core.actor import Actor
from apps.core.api.permissions import Permission
from apps.core.api.views import TenantView, etag
from apps.core.canonical import jsonable
from apps.idempotency.http import run_idempotently
from apps.jobs.services import enqueue
from apps.market.models import Instrument, Listing, Quote, VenueClock
from apps.orders.enums import OrderStatus, OrderType, Side, TimeInForce
from apps.orders.events import ORDER_APPROVED, order_data, order_event
from apps.orders.models import InstallationKillSwitch, KillSwitch, Order, OrderEvent, Position, RiskAccount
from apps.orders.rules.gate import decide
from apps.orders.rules.states import OPEN_STATES
from apps.orders.rules.units import from_micros
from apps.orders.services.intake.judging import proposal_of, request_for_people, snapshot_of
from apps.orders.services.intake.placing import field_errors
from apps.orders.services.intake.reading import Facts, Means, Reading
from apps.orders.services.intake.writing import decision_of, order_of
from apps.orders.types import ORDER_PRIORITY, SUBMIT_ORDER, NewOrder
from apps.outbox import services as outbox

_AUDITED = (
    "status",
    "client_order_id",
    "account_id",
    "instrument_id",
    "side",
    "type",
    "quantity",
    "limit_price",
    "time_in_force",
    "mode",
    "reserved",
)


class NewOrderSerializer(serializers.Serializer[Any]):
    """An order to place."""

    account_id = serializers.UUIDField()
    instrument: "serializers.SlugRelatedField[Instrument]" = serializers.SlugRelatedField(
        slug_field="key", queryset=Instrument.objects.all()
    )
    side = serializers.ChoiceField([side.value for side in Side])
    type = serializers.ChoiceField([type_.value for type_ in OrderType])
    quantity = serializers.DecimalField(max_digits=38, decimal_places=18)
    limit_price = serializers.DecimalField(max_digits=38, decimal_places=18, required=False, allow_null=True)
    stop_price = serializers.DecimalField(max_digits=38, decimal_places=18, required=False, allow_null=True)
    time_in_force = serializers.ChoiceField([time.value for time in TimeInForce], default="day")


class OrderSerializer(serializers.ModelSerializer[Order]):
    """The fields that our answer has."""

    instrument: "serializers.SlugRelatedField[Instrument]" = serializers.SlugRelatedField(
        slug_field="key", read_only=True
    )

    class Meta:
        model = Order
        fields = [
            "id",
            "client_order_id",
            "account_id",
            "instrument",
            "side",
            "type",
            "quantity",
            "limit_price",
            "stop_price",
            "time_in_force",
            "mode",
            "status",
            "pending",
            "filled_quantity",
            "average_fill_price",
            "venue_order_id",
            "denial_code",
            "denial_detail",
            "replaces_id",
            "reserved",
            "submitted_at",
            "accepted_at",
            "closed_at",
            "version",
            "created_at",
            "updated_at",
        ]


class OrderCreate(TenantView):
    """Place an order."""

    required_permissions = {"POST": Permission.ORDERS_WRITE}
    requires_key = True

    def post(self, request: Request) -> Response:
        """Place it, once per Idempotency-Key."""
        return run_idempotently(self, self._place)

    def _place(self) -> Response:
        serializer = NewOrderSerializer(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        order = place_order(actor=self.actor, now=clock.now(), **serializer.validated_data)
        return Response(OrderSerializer(order).data, status=201, headers={"ETag": etag(order.version)})


def place_order(*, account_id: Any, instrument: Instrument, actor: Actor, now: datetime, **parameters: Any) -> Order:
    """Decide upon an order and store what was approved."""
    account = Account.objects.select_related("connection").get(id=account_id)
    risk_account = RiskAccount.objects.select_for_update().get(venue=account.provider, external_id=account.external_id)
    new = NewOrder(
        instrument=instrument.key,
        side=Side(parameters.pop("side")),
        type=OrderType(parameters.pop("type")),
        time_in_force=TimeInForce(parameters.pop("time_in_force")),
        **parameters,
    )
    means, facts = _means(risk_account), _facts(risk_account, account, instrument, new)
    assert not field_errors(new, facts)
    snapshot = snapshot_of(means, facts, now=now)
    decision = decide(snapshot, proposal_of(new))
    assert decision.code is None, decision.detail
    order = order_of(new, decision, Reading(means, facts), account_id=account.id, actor=actor, now=now)
    order.save(force_insert=True)
    decision_of(decision, snapshot, order=order, request=request_for_people(new), actor=actor).save(force_insert=True)
    assert decision.rate_reset_at is not None
    risk_account.rate_reset_at = from_micros(decision.rate_reset_at)
    risk_account.save(update_fields=["rate_reset_at"])
    _tell(order, actor, now)
    return order


def _tell(order: Order, actor: Actor, now: datetime) -> None:
    OrderEvent.objects.create(
        tenant_id=order.tenant_id,
        order=order,
        sequence=1,
        type=ORDER_APPROVED,
        data=jsonable(order_data(order)),
        at=now,
    )
    changes = {name: [None, getattr(order, name)] for name in _AUDITED}
    audit.record(action=ORDER_APPROVED, actor=actor, target_type="order", target_id=order.id, now=now, changes=changes)
    outbox.emit(order_event(ORDER_APPROVED, order), actor=actor, now=now)
    enqueue(
        kind=SUBMIT_ORDER,
        payload={"order_id": str(order.id)},
        actor=actor,
        now=now,
        unique_key=str(order.id),
        priority=ORDER_PRIORITY,
    )


def _means(risk_account: RiskAccount) -> Means:
    connection = risk_account.connection
    is_connected = connection.status == "active" and connection.deleted_at is None
    columns = {name: getattr(risk_account, name) for name in Means._fields if name != "is_connected"}
    return Means(is_connected=is_connected, **columns)


def _facts(risk_account: RiskAccount, account: Account, instrument: Instrument, new: NewOrder) -> Facts:
    listing = Listing.objects.get(instrument=instrument, venue=risk_account.venue)
    quote = Quote.objects.get(instrument=instrument, source=risk_account.venue)
    clock = VenueClock.objects.get(venue=risk_account.venue)
    position = Position.objects.filter(risk_account=risk_account, instrument=instrument).first()
    open_orders = Order.objects.filter(risk_account=risk_account, status__in=OPEN_STATES)
    positions = Position.objects.filter(risk_account=risk_account).exclude(quantity=0)
    others = {*_others(open_orders, instrument), *_others(positions, instrument)}
    turns = [at for at in (clock.next_open_at, clock.next_close_at) if at is not None and at > clock.venue_at]
    return Facts(
        mode=account.mode,
        can_trade=account.status == "open" and account.connection.status == "active",
        instrument_id=instrument.id,
        key=instrument.key,
        asset_class=instrument.asset_class,
        symbol=listing.symbol,
        listed=listing.listed,
        tradable=listing.tradable,
        shortable=listing.shortable,
        minimum_quantity=listing.minimum_quantity,
        quantity_increment=listing.quantity_increment,
        price_increment=listing.price_increment,
        bid=quote.bid,
        ask=quote.ask,
        quote_venue_at=quote.venue_at,
        quote_received_at=quote.received_at,
        clock_is_open=clock.is_open,
        clock_venue_at=clock.venue_at,
        clock_asked_at=clock.asked_at,
        clock_received_at=clock.received_at,
        clock_turns_at=min(turns, default=None),
        position=position.quantity if position else None,
        open_buys=_remaining(open_orders.filter(instrument=instrument, side=Side.BUY)),
        open_sells=_remaining(open_orders.filter(instrument=instrument, side=Side.SELL)),
        open_buys_above=_above(open_orders.filter(instrument=instrument, side=Side.BUY), quote.ask),
        open_sells_above=_above(open_orders.filter(instrument=instrument, side=Side.SELL), quote.ask),
        other_trades=len(others),
        unknown_orders=open_orders.filter(status=OrderStatus.UNKNOWN).count(),
        reserved=_reserved(risk_account),
        engaged_switches=_engaged(account),
        is_client_id_taken=Order.objects.filter(client_order_id=new.client_order_id).exists(),
    )


def _others(rows: "QuerySet[Any]", instrument: Instrument) -> list[Any]:
    return list(rows.exclude(instrument=instrument).values_list("instrument_id", flat=True).distinct())


def _remaining(orders: "QuerySet[Order]") -> Decimal | None:
    found: Decimal | None = orders.aggregate(sum=Sum(F("quantity") - F("filled_quantity")))["sum"]
    return found


def _above(orders: "QuerySet[Order]", ask: Decimal) -> Decimal | None:
    rows = orders.annotate(price=Greatest("limit_price", "stop_price")).filter(price__gt=ask)
    beyond = (F("quantity") - F("filled_quantity")) * (F("price") - ask)
    found: Decimal | None = rows.aggregate(sum=Sum(beyond))["sum"]
    return found


def _reserved(risk_account: RiskAccount) -> Decimal | None:
    not_included = Q(accepted_at__isnull=True) | Q(accepted_at__gte=risk_account.means_as_of)
    rows = Order.objects.filter(not_included, risk_account=risk_account, reserved__gt=0)
    found: Decimal | None = rows.aggregate(sum=Sum("reserved"))["sum"]
    return found


def _engaged(account: Account) -> list[str]:
    mine = KillSwitch.objects.filter(Q(account=account) | Q(account__isnull=True), engaged=True)
    everybodys = InstallationKillSwitch.objects.filter(engaged=True)
    return [*everybodys.values_list("reason", flat=True), *mine.values_list("reason", flat=True)]
