"""What the sandbox never sends: answers of something in front of Alpaca, and lists without end."""

import socket
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from apps.providers.adapters.alpaca.client import AlpacaAdapter
from apps.providers.enums import ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.transport.breaker import provider_breaker
from tests.providers.alpaca.conftest import order
from tests.providers.alpaca.test_mapping import FILL, ORDER
from tests.providers.transport.server import ScriptedServer, answer, truncated

pytestmark = pytest.mark.no_database

KEYS = {"key_id": "PKTESTTEST", "secret_key": "s"}
HTML = b"<html>no</html>"


@pytest.fixture
def server(settings):
    with ScriptedServer(answer([])) as running:
        settings.SANDBOX_URL = running.url
        yield running


@pytest.fixture
def broker():
    with AlpacaAdapter(KEYS, uuid4().hex) as adapter:
        yield adapter


@pytest.fixture
def request_():
    return order(client_order_id="ours")


def failed(call) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        call()
    return caught.value


class TestPlacing:
    @pytest.mark.parametrize(
        "action",
        [
            answer(HTML, status=429),
            answer({"error": "slow down"}, status=429),
            answer({"message": "too many requests."}, status=429),
            answer(HTML, status=403),
            answer({"message": "forbidden."}, status=403),
            answer(HTML, status=401),
            answer({"message": "unauthorized."}, status=401),
            answer(HTML, status=422),
            answer({"message": "no"}, status=422),
            answer(b"", status=404),
            answer(b"", status=307, headers={"Location": "http://127.0.0.1:1/"}),
            answer({"code": 50010000, "message": "internal server error"}, status=500),
            answer(HTML, status=520),
            truncated(),
        ],
    )
    def test_a_refusal_that_is_not_alpacas_word_proves_nothing(self, server, broker, request_, action):
        server.play(action)
        error = failed(lambda: broker.place_order(request_))
        assert (error.category, len(server.requests)) == (ErrorCategory.UNKNOWN_OUTCOME, 1)

    @pytest.mark.parametrize(
        "body",
        [
            None,
            {},
            [],
            [ORDER],
            "ok",
            {**ORDER, "status": "on_fire"},
            {**ORDER, "id": None},
            {**ORDER, "filled_qty": "NaN"},
            {**ORDER, "client_order_id": "another"},
            {"code": 0, "message": "ok"},
        ],
    )
    def test_success_that_is_not_this_order(self, server, broker, request_, body):
        server.play(answer(body))
        for call in (lambda: broker.place_order(request_), lambda: broker.replace_order("o1", request_)):
            error = failed(call)
            assert (error.category, error.code) == (ErrorCategory.UNKNOWN_OUTCOME, "malformed_answer")
        assert [line.split()[0] for line in server.requests] == ["POST", "PATCH"]

    def test_success_without_content(self, server, broker, request_):
        server.play(answer(b"", status=204))
        assert failed(lambda: broker.place_order(request_)).category is ErrorCategory.UNKNOWN_OUTCOME

    def test_a_venue_that_is_not_there_got_nothing(self, settings, broker, request_):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            settings.SANDBOX_URL = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with AlpacaAdapter(KEYS, uuid4().hex) as adapter:
            error = failed(lambda: adapter.place_order(request_))
        assert (error.category, error.code) == (ErrorCategory.RETRYABLE, "unreachable")

    def test_an_open_breaker_lets_nothing_out(self, server, broker, request_):
        while not provider_breaker("alpaca.paper").fail():
            pass
        error = failed(lambda: broker.place_order(request_))
        assert (error.category, error.code, server.requests) == (ErrorCategory.RETRYABLE, "circuit_open", [])

    def test_the_data_hosts_breaker_is_another(self, server, broker, request_):
        while not provider_breaker("alpaca.data").fail():
            pass
        server.play(answer({**ORDER, "client_order_id": "ours"}))
        assert broker.place_order(request_).venue_order_id == "o1"
        assert failed(lambda: broker.latest_quotes(["AAPL"])).code == "circuit_open"

    def test_a_key_that_is_used_up_lets_nothing_out(self, server, broker, request_):
        refusal = {"code": 42910000, "message": "rate limit exceeded"}
        server.play(answer(refusal, status=429, headers={"Retry-After": "30"}))
        first = failed(lambda: broker.place_order(request_))
        assert (first.category, first.code, first.retry_after) == (ErrorCategory.THROTTLED, "throttled", 30.0)
        second = failed(lambda: broker.place_order(request_))
        assert (second.category, second.code) == (ErrorCategory.THROTTLED, "limit_reached")
        assert len(server.requests) == 1

    @pytest.mark.parametrize(
        ("headers", "expected"),
        [
            ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "32503680000"}, 1.0),
            ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}, 0.0),
            ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, None),
            ({"X-RateLimit-Remaining": "7", "X-RateLimit-Reset": "32503680000"}, None),
            ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1", "Retry-After": "12"}, 12.0),
            ({}, None),
        ],
    )
    def test_when_to_come_back(self, server, broker, request_, headers, expected):
        server.play(answer({"code": 42910000, "message": "rate limit exceeded"}, status=429, headers=headers))
        assert failed(lambda: broker.place_order(request_)).retry_after == expected


class TestKeysAndHosts:
    def test_the_key_goes_in_alpacas_headers(self, server, broker, request_):
        server.play(answer({**ORDER, "client_order_id": "ours"}))
        broker.place_order(request_)
        [head] = server.requests
        assert head.startswith("POST /alpaca/v2/orders HTTP/1.1\r\n")
        assert "APCA-API-KEY-ID: PKTESTTEST\r\n" in head
        assert "APCA-API-SECRET-KEY: s\r\n" in head

    def test_ids_stay_within_their_place_in_the_address(self, server, broker):
        server.play(answer(b"", status=204))
        broker.cancel_order("../account?x=1")
        assert server.requests[0].startswith("DELETE /alpaca/v2/orders/..%2Faccount%3Fx%3D1 HTTP/1.1\r\n")


class TestReading:
    @pytest.mark.parametrize(
        ("action", "category", "code"),
        [
            (answer({"message": "forbidden."}, status=403), ErrorCategory.AUTH, "credentials_refused"),
            (
                answer({"message": "subscription does not permit querying recent SIP data"}, status=403),
                ErrorCategory.PERMANENT,
                "request_refused",
            ),
            (answer({"code": 42210000, "message": "invalid symbol"}, status=400), ErrorCategory.PERMANENT, "42210000"),
            (answer(HTML, status=403), ErrorCategory.RETRYABLE, "unexpected_answer"),
            (answer(HTML, status=404), ErrorCategory.RETRYABLE, "unexpected_answer"),
            (answer({"quotes": []}), ErrorCategory.RETRYABLE, "malformed_answer"),
            (answer([]), ErrorCategory.RETRYABLE, "malformed_answer"),
        ],
    )
    def test_what_a_refused_reading_means(self, server, broker, action, category, code):
        server.play(action)
        error = failed(lambda: broker.latest_quotes(["AAPL"]))
        assert (error.category, error.code) == (category, code)

    def test_quotes_are_asked_for_in_batches(self, server, broker):
        server.play(answer({"quotes": {}}))
        assert broker.latest_quotes([f"S{number}" for number in range(450)]) == {}
        assert len(server.requests) == 3

    def test_a_quote_that_is_none_is_absent(self, server, broker):
        good = {"t": "2026-03-02T14:30:00Z", "bp": 1, "ap": 2}
        rows = {"A": good, "B": {**good, "bp": 0, "ap": 0}, "C": {**good, "bp": -1}, "D": None, "E": good}
        server.play(answer({"quotes": rows}))
        assert set(broker.latest_quotes(["A", "B", "C", "D"])) == {"A"}

    @pytest.mark.parametrize("call", ["means", "clock"])
    def test_an_answer_without_what_was_asked_for(self, server, broker, call):
        server.play(answer({}))
        error = failed(getattr(broker, call))
        assert (error.category, error.code) == (ErrorCategory.RETRYABLE, "malformed_answer")

    def test_an_order_under_another_id_is_not_the_one(self, server, broker):
        server.play(answer(ORDER))
        assert failed(lambda: broker.find_order("another")).code == "malformed_answer"
        assert failed(lambda: broker.get_order("another")).code == "malformed_answer"


class TestOpenOrders:
    def row(self, number: int, **change: Any) -> dict[str, Any]:
        at = f"2026-03-02T14:30:{number // 1000:02d}.{number % 1000:03d}Z"
        return {**ORDER, "id": f"o{number}", "submitted_at": at, **change}

    def test_pages_overlap_by_an_instant_and_each_order_comes_once(self, server, broker):
        first = [self.row(number) for number in range(500)]
        server.play(answer(first), answer([self.row(499), self.row(500)]))
        assert [each.venue_order_id for each in broker.open_orders()] == [f"o{number}" for number in range(501)]
        assert [line.split()[1] for line in server.requests] == [
            "/alpaca/v2/orders?status=open&direction=asc&limit=500&nested=false",
            "/alpaca/v2/orders?status=open&direction=asc&limit=500&nested=false&after=2026-03-02T14%3A30%3A00.498999Z",
        ]

    def test_a_page_that_comes_again_is_an_error(self, server, broker):
        server.play(answer([self.row(number) for number in range(500)]))
        assert failed(lambda: list(broker.open_orders())).code == "list_changed"

    def test_one_that_does_not_map_is_told_of_and_left_out(self, server, broker, caplog):
        server.play(answer([self.row(1), self.row(2, status="on_fire"), self.row(3)]))
        assert [each.venue_order_id for each in broker.open_orders()] == ["o1", "o3"]
        [record] = [record for record in caplog.records if record.getMessage() == "provider.row_refused"]
        assert (record.row, record.reason) == ("o2", "The order state 'on_fire' is not known.")

    @pytest.mark.parametrize("body", [{}, [7], [{"id": 7}], "text"])
    def test_a_list_that_is_none(self, server, broker, body):
        server.play(answer(body))
        assert failed(lambda: list(broker.open_orders())).code == "malformed_answer"


class TestActivities:
    def test_a_page_for_ever_is_an_error(self, server, broker):
        server.play(answer([FILL]))
        since = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
        assert failed(lambda: list(broker.fills(since=since))).code == "list_changed"
        assert [line.split()[1] for line in server.requests] == [
            "/alpaca/v2/account/activities/FILL?direction=asc&after=2026-03-02T14%3A29%3A59Z&page_size=100",
            "/alpaca/v2/account/activities/FILL?direction=asc&after=2026-03-02T14%3A29%3A59Z&page_size=100"
            "&page_token=20260302093001250%3A%3Af1",
        ]


def test_a_price_that_is_a_json_number_keeps_its_digits(server, broker):
    body = b'{"quotes": {"A": {"t": "2026-03-02T14:30:00Z", "bp": 0.100000000000000005, "ap": 1e2}}}'
    server.play(answer(body))
    quote = broker.latest_quotes(["A"])["A"]
    assert (quote.bid, quote.ask) == (Decimal("0.100000000000000005"), Decimal(100))
