"""Trading against the sandbox over real HTTP: what comes of an order, and what is known of it when a call fails."""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from apps.providers.enums import ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.trading import FillData, HoldingData, OrderRequest
from tests.providers.alpaca.conftest import Broker, order, wait_for

pytestmark = pytest.mark.no_database

FAR_BELOW: dict[str, Any] = {"type": "limit", "limit_price": Decimal("1.25"), "time_in_force": "gtc"}


def failed(call) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        call()
    return caught.value


def sent(sandbox, keys, request: OrderRequest) -> list[dict]:
    """Return the attempts to place an order that reached the venue."""
    return [
        call
        for call in sandbox.log("alpaca")
        if call["method"] == "POST" and (call["request"] or {}).get("client_order_id") == request.client_order_id
    ]


class TestLife:
    def test_a_market_order_is_filled(self, broker, sandbox, keys):
        request = order(quantity=Decimal("2.5"))
        placed = broker.place_order(request)
        assert (placed.client_order_id, placed.symbol, placed.status) == (request.client_order_id, "AAPL", "accepted")
        assert (placed.quantity, placed.filled_quantity, placed.average_fill_price) == (Decimal("2.5"), 0, None)
        filled = wait_for(broker, placed, "filled")
        assert filled.filled_quantity == Decimal("2.5")
        assert filled == broker.find_order(request.client_order_id)
        [fill] = list(broker.fills(since=datetime.now(UTC) - timedelta(minutes=1)))
        assert isinstance(fill, FillData)
        assert (fill.venue_order_id, fill.side, fill.quantity) == (placed.venue_order_id, "buy", Decimal("2.5"))
        assert fill.price == filled.average_fill_price
        [holding] = broker.positions()
        assert isinstance(holding, HoldingData)
        assert (holding.symbol, holding.quantity, holding.average_price) == ("AAPL", Decimal("2.5"), fill.price)
        assert [call["request"] for call in sent(sandbox, keys, request)] == [
            {
                "symbol": "AAPL",
                "side": "buy",
                "type": "market",
                "client_order_id": request.client_order_id,
                "qty": "2.5",
                "time_in_force": "day",
            }
        ]

    @pytest.mark.parametrize(
        "change",
        [
            {"type": "limit", "limit_price": Decimal("1.5")},
            {"type": "stop", "stop_price": Decimal("99999.5")},
            {"type": "stop_limit", "stop_price": Decimal("99999"), "limit_price": Decimal("99999.5")},
        ],
    )
    def test_types_that_wait(self, broker, change):
        placed = broker.place_order(order(time_in_force="gtc", **change))
        assert [each.venue_order_id for each in broker.open_orders()] == [placed.venue_order_id]

    def test_a_coin(self, broker):
        placed = broker.place_order(order("BTC/USD", quantity=Decimal("0.000123457"), time_in_force="gtc"))
        assert wait_for(broker, placed, "filled").symbol == "BTC/USD"
        [holding] = broker.positions()
        assert isinstance(holding, HoldingData)
        assert (holding.symbol, holding.quantity) == ("BTCUSD", Decimal("0.000123457"))

    def test_fills_in_parts_come_oldest_first(self, broker, sandbox, keys):
        sandbox.control("POST", "/alpaca/execution", key_id=keys["key_id"], parts=3, part_ms=20)
        placed = broker.place_order(order(quantity=Decimal(9)))
        wait_for(broker, placed, "filled")
        fills = list(broker.fills(since=datetime.now(UTC) - timedelta(minutes=1)))
        assert [fill.quantity for fill in fills if isinstance(fill, FillData)] == [3, 3, 3]
        times = [fill.filled_at for fill in fills if isinstance(fill, FillData)]
        assert times == sorted(times)
        assert len({fill.execution_id for fill in fills if isinstance(fill, FillData)}) == 3

    def test_many_fills_are_read_to_the_end(self, broker, sandbox, keys):
        sandbox.control("POST", "/alpaca/execution", key_id=keys["key_id"], parts=100, part_ms=0)
        for _ in range(2):
            wait_for(broker, broker.place_order(order(quantity=Decimal(100))), "filled")
        fills = list(broker.fills(since=datetime.now(UTC) - timedelta(minutes=1)))
        assert len({fill.execution_id for fill in fills if isinstance(fill, FillData)}) == 200
        assert list(broker.fills(since=datetime.now(UTC) + timedelta(seconds=5))) == []


class TestReplace:
    def test_the_new_order_takes_the_old_ones_place(self, broker):
        old = wait_for_open(broker, broker.place_order(order(**FAR_BELOW)))
        request = order(**{**FAR_BELOW, "limit_price": Decimal("1.5")}, quantity=Decimal(7))
        new = broker.replace_order(old.venue_order_id, request)
        assert (new.replaces, new.client_order_id, new.quantity) == (
            old.venue_order_id,
            request.client_order_id,
            Decimal(7),
        )
        replaced = wait_for(broker, old, "replaced")
        assert replaced.replaced_by == new.venue_order_id
        assert [each.venue_order_id for each in broker.open_orders()] == [new.venue_order_id]

    def test_a_filled_order_cannot_be_replaced(self, broker):
        filled = wait_for(broker, broker.place_order(order()), "filled")
        error = failed(lambda: broker.replace_order(filled.venue_order_id, order(**FAR_BELOW)))
        assert (error.category, error.code, error.status) == (ErrorCategory.PERMANENT, "42210000", 422)
        assert error.message == 'order is already in "filled" state'

    @pytest.mark.parametrize(
        ("kind", "is_there"), [("drop_response", True), ("status:504", True), ("status:503", False)]
    )
    def test_an_answer_that_was_lost_leaves_the_outcome_unknown(self, broker, sandbox, kind, is_there):
        old = wait_for_open(broker, broker.place_order(order(**FAR_BELOW)))
        request = order(**FAR_BELOW, quantity=Decimal(3))
        sandbox.fault(kind, provider="alpaca", count=1, match="PATCH /v2/orders")
        error = failed(lambda: broker.replace_order(old.venue_order_id, request))
        assert error.category is ErrorCategory.UNKNOWN_OUTCOME
        assert (broker.find_order(request.client_order_id) is not None) is is_there


class TestCancel:
    def test_an_open_order(self, broker):
        placed = wait_for_open(broker, broker.place_order(order(**FAR_BELOW)))
        broker.cancel_order(placed.venue_order_id)
        assert wait_for(broker, placed, "canceled").filled_quantity == 0
        assert list(broker.open_orders()) == []

    def test_while_it_is_under_way(self, broker, sandbox, keys):
        sandbox.control("POST", "/alpaca/execution", key_id=keys["key_id"], cancel_ms=600_000)
        placed = wait_for_open(broker, broker.place_order(order(**FAR_BELOW)))
        broker.cancel_order(placed.venue_order_id)
        shown = broker.get_order(placed.venue_order_id)
        assert shown is not None
        assert (shown.status, shown.pending, shown.venue_status) == ("accepted", "cancel", "pending_cancel")
        assert failed(lambda: broker.cancel_order(placed.venue_order_id)).category is ErrorCategory.PERMANENT

    def test_a_filled_order(self, broker):
        filled = wait_for(broker, broker.place_order(order()), "filled")
        error = failed(lambda: broker.cancel_order(filled.venue_order_id))
        assert (error.category, error.code) == (ErrorCategory.PERMANENT, "42210000")

    def test_an_order_that_is_none(self, broker):
        error = failed(lambda: broker.cancel_order(str(uuid4())))
        assert (error.category, error.code, error.status) == (ErrorCategory.PERMANENT, "order_not_found", 404)

    def test_an_answer_that_was_lost(self, broker, sandbox):
        placed = wait_for_open(broker, broker.place_order(order(**FAR_BELOW)))
        sandbox.fault("drop_response", provider="alpaca", count=1, match="DELETE /v2/orders")
        error = failed(lambda: broker.cancel_order(placed.venue_order_id))
        assert error.category is ErrorCategory.UNKNOWN_OUTCOME
        wait_for(broker, placed, "canceled")


class TestLookUp:
    def test_what_the_venue_does_not_know_is_none(self, broker):
        assert broker.find_order(uuid4().hex) is None
        assert broker.get_order(str(uuid4())) is None

    def test_another_keys_order_is_none(self, broker, open_broker, sandbox):
        other = open_broker(sandbox.credentials(uuid4().hex)["alpaca"])
        request = order(**FAR_BELOW)
        placed = other.place_order(request)
        assert broker.find_order(request.client_order_id) is None
        assert broker.get_order(placed.venue_order_id) is None

    def test_a_missing_endpoint_is_no_missing_order(self, broker, sandbox):
        """A proxy's or router's 404 must not be read as "there is no such order": it would be sent again."""
        request = order(**FAR_BELOW)
        broker.place_order(request)
        sandbox.fault("status:404", provider="alpaca", count=1, match="GET /v2/orders:by_client_order_id")
        error = failed(lambda: broker.find_order(request.client_order_id))
        assert (error.category, error.code) == (ErrorCategory.RETRYABLE, "malformed_answer")

    @pytest.mark.parametrize("kind", ["status:500", "malformed", "drop_response", "status:429"])
    def test_a_passing_fault_is_hidden(self, broker, sandbox, kind):
        request = order(**FAR_BELOW)
        placed = broker.place_order(request)
        sandbox.fault(kind, provider="alpaca", count=1, match="GET /v2/orders:by_client_order_id")
        found = broker.find_order(request.client_order_id)
        assert found is not None
        assert found.venue_order_id == placed.venue_order_id


class TestRefusals:
    """The venue's own word that there is no order; it is kept, code and message."""

    def refused(self, broker: Broker, request: OrderRequest) -> ProviderError:
        error = failed(lambda: broker.place_order(request))
        assert broker.find_order(request.client_order_id) is None
        return error

    def test_buying_power(self, broker):
        error = self.refused(broker, order(quantity=Decimal(1_000_000)))
        assert (error.category, error.code, error.status) == (ErrorCategory.PERMANENT, "40310000", 403)
        assert error.message == "insufficient buying power"

    def test_a_price_too_fine(self, broker):
        error = self.refused(broker, order(**{**FAR_BELOW, "limit_price": Decimal("190.123")}))
        assert (error.category, error.code, error.status) == (ErrorCategory.PERMANENT, "42210000", 422)

    def test_an_asset_that_is_not_there(self, broker):
        assert self.refused(broker, order("NOSUCH")).category is ErrorCategory.PERMANENT

    def test_a_key_that_is_wrong(self, open_broker, keys, broker):
        request = order()
        error = failed(lambda: open_broker({**keys, "secret_key": "wrong"}).place_order(request))
        assert (error.category, error.code) == (ErrorCategory.AUTH, "credentials_refused")
        assert broker.find_order(request.client_order_id) is None

    def test_a_client_id_is_taken_once(self, broker, sandbox, keys):
        request = order(**FAR_BELOW)
        placed = broker.place_order(request)
        error = failed(lambda: broker.place_order(request))
        assert (error.category, error.code) == (ErrorCategory.PERMANENT, "duplicate_client_order_id")
        assert [each.venue_order_id for each in broker.open_orders()] == [placed.venue_order_id]

    def test_the_venues_own_rejection_later(self, broker, sandbox, keys):
        sandbox.control(
            "POST",
            "/alpaca/refusal",
            key_id=keys["key_id"],
            status=403,
            code=40310000,
            message="halted",
            later=True,
        )
        placed = broker.place_order(order())
        assert placed.status == "accepted"
        assert wait_for(broker, placed, "rejected").venue_status == "rejected"


class TestFaults:
    """Every fault of the sandbox while an order is placed: what is said of the order is true, and it is sent once."""

    @pytest.mark.parametrize(
        ("kind", "category", "code", "is_there"),
        [
            ("drop_response", ErrorCategory.UNKNOWN_OUTCOME, "connection_lost", True),
            ("malformed", ErrorCategory.UNKNOWN_OUTCOME, "malformed_answer", True),
            ("status:504", ErrorCategory.UNKNOWN_OUTCOME, "provider_unavailable", True),
            ("status:500", ErrorCategory.UNKNOWN_OUTCOME, "provider_unavailable", False),
            ("status:502", ErrorCategory.UNKNOWN_OUTCOME, "provider_unavailable", False),
            ("status:503", ErrorCategory.UNKNOWN_OUTCOME, "provider_unavailable", False),
            ("status:408", ErrorCategory.UNKNOWN_OUTCOME, "provider_unavailable", False),
            ("throttle", ErrorCategory.THROTTLED, "throttled", False),
            ("status:429", ErrorCategory.THROTTLED, "throttled", False),
            ("status:400", ErrorCategory.PERMANENT, "40010000", False),
            ("status:401", ErrorCategory.AUTH, "credentials_refused", False),
            ("status:403", ErrorCategory.PERMANENT, "40310000", False),
            ("status:422", ErrorCategory.PERMANENT, "42210000", False),
        ],
    )
    def test_what_fails(self, broker, sandbox, keys, kind, category, code, is_there):
        request = order(**FAR_BELOW)
        sandbox.fault(kind, provider="alpaca", match="POST /v2/orders")
        error = failed(lambda: broker.place_order(request))
        sandbox.clear_faults()
        assert (error.category, error.code) == (category, code)
        assert len(sent(sandbox, keys, request)) == 1
        found = wait_until_answered(broker, request)
        assert (found is not None) is is_there

    @pytest.mark.parametrize("kind", ["delay:300", "duplicate", "reorder"])
    def test_what_does_not_matter(self, broker, sandbox, keys, kind):
        request = order(**FAR_BELOW)
        sandbox.fault(kind, provider="alpaca", count=1, match="POST /v2/orders")
        placed = broker.place_order(request)
        assert (placed.client_order_id, len(sent(sandbox, keys, request))) == (request.client_order_id, 1)

    @pytest.mark.prove
    def test_silence_ends_after_ten_seconds(self, broker, sandbox, keys):
        request = order(**FAR_BELOW)
        sandbox.fault("delay:60000", provider="alpaca", count=1, match="POST /v2/orders")
        started = time.monotonic()
        error = failed(lambda: broker.place_order(request))
        assert (error.category, error.code) == (ErrorCategory.UNKNOWN_OUTCOME, "timeout")
        assert 9.5 < time.monotonic() - started < 12
        assert len(sent(sandbox, keys, request)) == 1
        assert broker.find_order(request.client_order_id) is not None


def wait_for_open(broker: Broker, placed):
    """Return the order once the venue has routed it, which is when it can be replaced."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = broker.get_order(placed.venue_order_id)
        if found is not None and found.venue_status == "new":
            return found
        time.sleep(0.01)
    raise AssertionError("the order was not acknowledged")


def wait_until_answered(broker: Broker, request: OrderRequest):
    """Return what the venue knows of the order; a throttled key waits a moment first."""
    for _ in range(20):
        try:
            return broker.find_order(request.client_order_id)
        except ProviderError as error:
            assert error.category is ErrorCategory.THROTTLED
            time.sleep(error.retry_after or 0.1)
    raise AssertionError("the venue went on throttling")
