"""Which of the venue's orders is ours: all that was asked for has to be there."""

from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

import pytest

from apps.core import clock
from apps.core.ids import new_id
from apps.orders.models import Order
from apps.orders.services.recognition import difference, request_of
from apps.providers.trading import VenueOrder

pytestmark = pytest.mark.no_database


def stop(side: str) -> Order:
    terms = {"type": "stop", "quantity": Decimal(10), "stop_price": Decimal(200), "time_in_force": "day"}
    return Order(id=new_id(), client_order_id="ours", symbol="AAPL", side=side, **terms)


def shown(order: Order, **changes: Any) -> VenueOrder:
    asked = asdict(request_of(order))
    told = VenueOrder(
        venue_order_id="v-1",
        status="accepted",
        venue_status="new",
        pending="none",
        replaces=None,
        replaced_by=None,
        filled_quantity=Decimal(0),
        average_fill_price=None,
        updated_at=clock.now(),
        **asked,
    )
    return replace(told, **changes)


def test_a_buy_stop_may_be_carried_as_a_stop_limit():
    order = stop("buy")
    assert difference(order, shown(order)) == ""
    assert difference(order, shown(order, type="stop_limit", limit_price=Decimal(205))) == ""
    found = difference(order, shown(order, type="stop_limit", limit_price=Decimal(205), stop_price=Decimal(190)))
    assert found == "stop_price: 190, not 200"


def test_a_sell_stop_may_not():
    order = stop("sell")
    found = difference(order, shown(order, type="stop_limit", limit_price=Decimal(195)))
    assert found == "type: stop_limit, not stop; limit_price: 195, not none"
