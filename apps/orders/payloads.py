"""What events and the API say of orders, fills, limits, positions and kill switches."""

from typing import Annotated, Any, NotRequired, TypedDict
from uuid import UUID

from apps.orders.enums import Mode, OrderStatus, OrderType, Pending, Side, TimeInForce
from apps.outbox.payloads import Instant, PlainDecimal, example_of, says, schema_of


class DenialData(TypedDict):
    """Why an order was denied or rejected."""

    code: Annotated[str, says("One of the codes of denials.", "position_too_large")]
    detail: Annotated[str, says("The same in words.", "The position would be worth more than its limit.")]


class OrderData(TypedDict):
    """An order, as it is after the event."""

    id: Annotated[UUID, says("The order.")]
    client_order_id: Annotated[str, says("What the client calls it; the venue knows it by this name.", "desk-7-0042")]
    account_id: Annotated[UUID, says("The account that it is for.")]
    instrument: Annotated[str, says("The instrument's key: market and symbol.", "XNAS:AAPL")]
    side: Annotated[str, says("Whether it buys or sells.", one_of=Side)]
    type: Annotated[str, says("What decides its price.", "limit", one_of=OrderType)]
    quantity: Annotated[PlainDecimal, says("How much was ordered.", "10")]
    limit_price: Annotated[PlainDecimal | None, says("The worst price, of a limit order.", "190.25")]
    stop_price: Annotated[PlainDecimal | None, says("What wakes a stop order.")]
    time_in_force: Annotated[str, says("How long it may work.", one_of=TimeInForce)]
    mode: Annotated[str, says("Whether real money moves.", one_of=Mode)]
    status: Annotated[str, says("Where it stands.", "accepted", one_of=OrderStatus)]
    pending: Annotated[str, says("What was asked for and the venue has not confirmed.", one_of=Pending)]
    filled_quantity: Annotated[PlainDecimal, says("How much was executed.", "0")]
    average_fill_price: Annotated[PlainDecimal | None, says("What that was executed at, on average.")]
    venue_order_id: Annotated[str | None, says("What the venue calls it.", "venue-4711")]
    denial: Annotated[DenialData | None, says("Why it was denied or rejected.", None)]
    replaces: Annotated[UUID | None, says("The order that it took the place of.")]
    reserved: Annotated[PlainDecimal, says("The means that it holds; at its end, what it has cost.", "1902.5")]
    submitted_at: Annotated[Instant | None, says("When it was sent to the venue.", "2026-03-02T14:30:00.2Z")]
    accepted_at: Annotated[Instant | None, says("When the venue first showed it.", "2026-03-02T14:30:00.31Z")]
    closed_at: Annotated[Instant | None, says("When it came to its end.")]
    version: Annotated[int, says("It grows with each event of the order.", 3)]
    created_at: Annotated[Instant, says("When it was placed.")]
    updated_at: Annotated[Instant, says("When it last changed.", "2026-03-02T14:30:00.31Z")]


class FillData(TypedDict):
    """One execution of an order."""

    id: Annotated[UUID, says("The execution.")]
    order_id: Annotated[UUID, says("The order that was executed.")]
    account_id: Annotated[UUID, says("The order's account.")]
    instrument: Annotated[str, says("The instrument's key.", "XNAS:AAPL")]
    venue_execution_id: Annotated[str, says("What the venue calls it.", "20260302143000310::e9f1")]
    side: Annotated[str, says("Whether it bought or sold.", one_of=Side)]
    quantity: Annotated[PlainDecimal, says("How much was executed.", "10")]
    price: Annotated[PlainDecimal, says("At what price.", "190.2")]
    fee: Annotated[PlainDecimal, says("What the venue took for it.", "0")]
    realized_pnl: Annotated[PlainDecimal, says("What was earned or lost by closing a position.", "0")]
    is_late: Annotated[bool, says("Whether it came in after the order's end.")]
    filled_at: Annotated[Instant, says("When the venue executed it.", "2026-03-02T14:30:00.3Z")]


class HeldData(TypedDict):
    """A position after an execution."""

    quantity: Annotated[PlainDecimal, says("How much is held; a short is negative.", "10")]
    average_price: Annotated[PlainDecimal, says("What it was bought at, on average.", "190.2")]


class FilledOrderData(OrderData):
    """An order and the execution that made the event."""

    fill: Annotated[FillData, says("The execution.")]
    position: Annotated[HeldData, says("The account's position in the instrument, after it.")]


class ExplainedOrderData(OrderData):
    """An order, and why the event came about."""

    reason: Annotated[str, says("Why, in words.", "The venue did not answer in time.")]


class CancelRequestData(OrderData):
    """An order that is to be canceled."""

    reason: NotRequired[Annotated[str, says("Why, where somebody has said so.", "The client asked by telephone.")]]


class LostOrderData(ExplainedOrderData):
    """An order that a person has declared lost."""

    lookups: Annotated[int, says("How often the venue was asked for it and did not know it.", 5)]


class ReplaceRequestData(OrderData):
    """An order that is to be replaced."""

    replacement_id: Annotated[UUID, says("The order that is to take its place.")]


class ReplaceRefusalData(ExplainedOrderData):
    """An order that was not replaced."""

    replacement_id: NotRequired[Annotated[UUID, says("The order that was to take its place, where one was made.")]]


# The examples' order is one that the venue has taken; these are what it has elsewhere on its way.
UNSENT: dict[str, Any] = {"venue_order_id": None, "submitted_at": None, "accepted_at": None}
SENT: dict[str, Any] = {"venue_order_id": None, "accepted_at": None, "version": 2}
ENDED: dict[str, Any] = {"closed_at": "2026-03-02T14:31:07Z", "reserved": "0", "version": 4}
_REFUSED = {"code": "position_too_large", "detail": "The position would be worth more than its limit."}
DENIED = UNSENT | ENDED | {"status": "denied", "denial": _REFUSED, "version": 1}
REJECTION = {"code": "rejected_by_venue", "detail": "The venue does not trade it (40010001)."}
FILLED = ENDED | {
    "status": "filled",
    "filled_quantity": "10",
    "average_fill_price": "190.2",
    "reserved": "1902",
}
RESUMED: dict[str, Any] = {"status": "partially_filled", "filled_quantity": "4", "average_fill_price": "190.2"}
PARTLY = RESUMED | {"fill": example_of(schema_of(FillData)) | {"quantity": "4"}}
PARTLY |= {"position": {"quantity": "4", "average_price": "190.2"}}
LATE = FILLED | {"status": "canceled", "fill": example_of(schema_of(FillData)) | {"is_late": True}}


class LimitsData(TypedDict):
    """An account's risk limits."""

    account_id: Annotated[UUID, says("The account.")]
    mode: Annotated[str, says("Whether real money moves.", one_of=Mode)]
    currency: Annotated[str, says("What the limits are in.", "USD")]
    max_open_trades: Annotated[int, says("How many instruments may be held or ordered at once.", 10)]
    max_position_value: Annotated[PlainDecimal, says("What one position may be worth.", "25000")]
    max_concentration: Annotated[PlainDecimal, says("Which part of the means one position may take.", "0.25")]
    max_orders_per_minute: Annotated[int, says("How many orders a minute may bring.", 60)]
    version: Annotated[int, says("It grows with each change.")]
    created_at: Annotated[Instant, says("When the account was first read.")]
    updated_at: Annotated[Instant, says("When they last changed.")]


class PositionData(TypedDict):
    """A position that was there before the platform was."""

    account_id: Annotated[UUID, says("The account that holds it.")]
    instrument: Annotated[str, says("The instrument's key.", "XNAS:AAPL")]
    quantity: Annotated[PlainDecimal, says("How much is held; a short is negative.", "10")]
    average_price: Annotated[PlainDecimal, says("What the venue says that it was bought at.", "182.4")]


class KillSwitchData(TypedDict):
    """A kill switch, as the API shows it."""

    engaged: Annotated[bool, says("Whether it stops orders.", True)]
    reason: Annotated[str, says("Why.", "The feed has gone mad.")]
    changed_by: Annotated[str, says("Who has turned it.", "ada@acme.example")]
    changed_at: Annotated[Instant, says("When.")]
    version: Annotated[int, says("It grows with each turn.")]


class KillSwitchTurnedData(KillSwitchData):
    """A kill switch that was turned."""

    account_id: Annotated[UUID | None, says("The account that it stops; null is all of the tenant's.")]
