"""GET /orders, /orders/{id}, /orders/{id}/events, /fills, /positions."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.core import clock
from apps.core.canonical import jsonable
from apps.core.scope import write_scope
from apps.orders.enums import OrderStatus
from apps.orders.events import fill_data, order_data
from apps.orders.models import Position
from tests.factories.market import make_listing, make_quote
from tests.factories.orders import Desk, make_desk, make_event, make_fill, make_order, make_position
from tests.orders.intake import URL


@pytest.fixture
def desk(acme) -> Desk:
    return make_desk(acme)


def ids(client: Any, **query: Any) -> list[str]:
    answer = client.get(URL, query)
    assert answer.status_code == 200, answer.content
    return [order["id"] for order in answer.json()["data"]]


def test_orders_newest_first_and_filtered(desk: Desk, acme, acme_viewer):
    now = clock.now()
    ibm = make_listing("XNYS:IBM")
    old = make_order(desk, OrderStatus.FILLED, now=now - timedelta(hours=2), client_order_id="old")
    other = make_order(desk, OrderStatus.ACCEPTED, now=now - timedelta(hours=1), listing=ibm)
    new = make_order(desk, OrderStatus.DENIED, now=now)
    second = make_desk(acme, key_id="PKSECONDDESK")
    elsewhere = make_order(second, OrderStatus.UNKNOWN, now=now)
    everything = [str(order.id) for order in (elsewhere, new, other, old)]
    assert ids(acme_viewer) == everything
    assert ids(acme_viewer, account=second.account.id) == [str(elsewhere.id)]
    assert ids(acme_viewer, status="filled") == [str(old.id)]
    assert ids(acme_viewer, instrument="XNYS:IBM") == [str(other.id)]
    assert ids(acme_viewer, client_order_id="old") == [str(old.id)]
    assert ids(acme_viewer, open="true") == [str(elsewhere.id), str(other.id)]
    assert ids(acme_viewer, open="false") == [str(new.id), str(old.id)]
    an_hour_ago = (now - timedelta(hours=1)).isoformat()
    assert ids(acme_viewer, since=an_hour_ago) == everything[:3]
    assert ids(acme_viewer, until=an_hour_ago) == everything[3:]
    assert ids(acme_viewer, status="filled", instrument="XNYS:IBM") == []


def test_an_order_as_it_is(desk: Desk, acme_viewer, globex_admin):
    order = make_order(
        desk,
        OrderStatus.PARTIALLY_FILLED,
        filled_quantity=Decimal("4"),
        average_fill_price=Decimal("189.50"),
        venue_order_id="v-1",
        version=7,
    )
    answer = acme_viewer.get(f"{URL}/{order.id}")
    assert (answer.status_code, answer["ETag"]) == (200, '"7"')
    assert answer.json() == jsonable(order_data(order))
    assert (answer.json()["filled_quantity"], answer.json()["average_fill_price"]) == ("4", "189.5")
    for path in ("", "/events"):
        assert globex_admin.get(f"{URL}/{order.id}{path}").status_code == 404


def test_what_happened_to_an_order_oldest_first(desk: Desk, acme_viewer):
    order = make_order(desk, OrderStatus.ACCEPTED)
    make_event(order, "order.cancel_requested", sequence=2)
    make_order(desk, OrderStatus.FILLED)
    events = acme_viewer.get(f"{URL}/{order.id}/events").json()["data"]
    assert [(event["sequence"], event["type"]) for event in events] == [
        (1, "order.accepted"),
        (2, "order.cancel_requested"),
    ]
    assert events[0]["data"] == jsonable(order_data(order))
    assert set(events[0]) == {"sequence", "type", "at", "data"}


def test_executions(desk: Desk, acme, acme_viewer, globex_admin):
    order, other = make_order(desk, OrderStatus.FILLED), make_order(desk, OrderStatus.FILLED)
    first, second, third = (make_fill(placed, "2") for placed in (order, order, other))

    def found(**query: Any) -> list[str]:
        return [fill["id"] for fill in acme_viewer.get("/api/v1/fills", query).json()["data"]]

    assert found() == [str(fill.id) for fill in (third, second, first)]
    assert found(order=order.id) == [str(second.id), str(first.id)]
    assert found(account=desk.account.id) == found()
    assert found(account=order.id) == []
    (shown, *_others) = acme_viewer.get("/api/v1/fills").json()["data"]
    assert shown == jsonable(fill_data(third))
    assert globex_admin.get("/api/v1/fills").json()["data"] == []


def positions(client: Any, **query: Any) -> dict[str, dict[str, Any]]:
    return {row["instrument"]: row for row in client.get("/api/v1/positions", query).json()["data"]}


def test_positions_with_what_they_are_worth(desk: Desk, acme, acme_viewer, globex_admin):
    """A long could be sold at the bid, a short bought back at the ask; what has no fresh quote has no worth."""
    for key, quantity, average in (("XNYS:IBM", "-3", "110"), ("XNAS:OLD", "5", "20"), ("XNAS:NONE", "1", "1")):
        make_position(desk, quantity, average, listing=make_listing(key))
    held = make_position(desk, "4", "180")
    with write_scope(desk.actor):
        Position.objects.filter(id=held.id).update(realized_pnl=Decimal("12.50"))
    rows = positions(acme_viewer)
    assert set(rows) == {"XNAS:AAPL", "XNYS:IBM", "XNAS:OLD", "XNAS:NONE"}
    long = rows["XNAS:AAPL"]
    assert long == {
        "id": str(held.id),
        "account_id": str(desk.account.id),
        "instrument": "XNAS:AAPL",
        "quantity": "4",
        "average_price": "180",
        "market_price": "189.98",
        "market_value": "759.92",
        "unrealized_pnl": "39.92",
        "realized_pnl": "12.5",
        "as_of": long["as_of"],
    }
    unpriced = rows["XNAS:NONE"]
    assert [unpriced[name] for name in ("market_price", "market_value", "unrealized_pnl")] == [None, None, None]
    assert positions(acme_viewer, account=desk.listing.id) == {}
    assert positions(globex_admin) == {}


def test_a_short_and_an_old_quote(desk: Desk, acme_viewer):
    ibm, old = make_listing("XNYS:IBM"), make_listing("XNAS:OLD")
    make_position(desk, "-3", "110", listing=ibm)
    make_position(desk, "5", "20", listing=old)
    make_quote(ibm, "100.00", "100.50")
    make_quote(old, "30", "31", age_seconds=3600)
    rows = positions(acme_viewer)
    short = rows["XNYS:IBM"]
    assert (short["market_price"], short["market_value"], short["unrealized_pnl"]) == ("100.5", "-301.5", "28.5")
    assert (rows["XNAS:OLD"]["market_price"], rows["XNAS:OLD"]["unrealized_pnl"]) == (None, None)


# The credentials, the scope in a savepoint and out of it again, the page; of positions their quotes.
@pytest.mark.parametrize(("path", "queries"), [("orders", 7), ("fills", 7), ("positions", 8)])
def test_a_list_costs_the_same_however_long_it_is(
    path: str, queries: int, desk: Desk, acme_viewer, django_assert_num_queries
):
    for number in range(3):
        order = make_order(desk, OrderStatus.FILLED)
        make_fill(order, "1")
        make_position(desk, "1", listing=make_listing(f"XNAS:L{number}"))
    with django_assert_num_queries(queries):
        assert len(acme_viewer.get(f"/api/v1/{path}").json()["data"]) == 3
