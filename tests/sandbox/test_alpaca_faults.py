"""Every fault kind on placing and listing orders: what the client sees, and what the venue has."""

from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import BrokerClient, refusal_of

pytestmark = pytest.mark.no_database

PLACING = "POST /v2/orders"


def fault(client: BrokerClient, kind: str, match: str = PLACING) -> None:
    client.process.fault(kind, provider="alpaca", match=match, count=1)


def placed_by(client: BrokerClient) -> list[str]:
    """Return the client ids of the orders that the venue has."""
    return [row["client_order_id"] for row in client.state()["orders"]]


def last_row(client: BrokerClient) -> tuple[int, bool, str | None]:
    row = client.process.log("alpaca")[-1]
    return row["status"], row["performed"], row["fault"]


def post(client: BrokerClient, client_id: str = "once") -> httpx.Response:
    return client.post("/v2/orders", json=client.body("KO", "buy", "1", client_order_id=client_id))


def test_a_dropped_answer_leaves_an_order_that_is_found_by_its_client_id(trader: BrokerClient) -> None:
    fault(trader, "drop_response")
    with pytest.raises(httpx.RemoteProtocolError):
        post(trader)
    assert last_row(trader) == (200, True, "drop_response")
    assert placed_by(trader) == ["once"]
    found = trader.get("/v2/orders:by_client_order_id", params={"client_order_id": "once"}).json()
    assert found["client_order_id"] == "once"
    assert refusal_of(post(trader)) == (422, 40010001, "client_order_id must be unique")


def test_a_gateways_timeout_comes_after_the_order_was_placed(trader: BrokerClient) -> None:
    fault(trader, "status:504")
    assert refusal_of(post(trader)) == (504, 50410000, "request timed out")
    assert last_row(trader) == (504, True, "status:504")
    assert placed_by(trader) == ["once"]


def test_a_gateways_timeout_before_a_refusal_performed_nothing(trader: BrokerClient) -> None:
    post(trader)
    fault(trader, "status:504")
    assert post(trader).status_code == 504
    assert last_row(trader) == (504, False, "status:504")
    assert placed_by(trader) == ["once"]


@pytest.mark.parametrize("status", [400, 403, 422, 500, 502, 503])
def test_other_statuses_place_nothing(trader: BrokerClient, status: int) -> None:
    fault(trader, f"status:{status}")
    answer = post(trader)
    assert (answer.status_code, set(answer.json())) == (status, {"code", "message"})
    assert last_row(trader) == (status, False, f"status:{status}")
    assert placed_by(trader) == []
    assert post(trader).status_code == 200


def test_throttle_is_alpacas_429(trader: BrokerClient) -> None:
    fault(trader, "throttle")
    answer = post(trader)
    assert refusal_of(answer) == (429, 42910000, "rate limit exceeded")
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    assert int(answer.headers["X-RateLimit-Reset"]) % 60 == 0
    assert (last_row(trader), placed_by(trader)) == ((429, False, "throttle"), [])


def test_a_late_answer_is_of_an_order_that_was_placed_in_time(trader: BrokerClient) -> None:
    fault(trader, "delay:700")
    with pytest.raises(httpx.ReadTimeout):
        trader.post("/v2/orders", json=trader.body("KO", "buy", "1", client_order_id="late"), timeout=0.2)
    assert (last_row(trader), placed_by(trader)) == ((200, True, "delay:700"), ["late"])


def test_a_malformed_answer_is_of_an_order_that_was_placed(trader: BrokerClient) -> None:
    fault(trader, "malformed")
    answer = post(trader)
    assert answer.status_code == 200
    with pytest.raises(ValueError):
        answer.json()
    assert (last_row(trader), placed_by(trader)) == ((200, True, "malformed"), ["once"])


def test_a_cancel_whose_answer_is_lost_is_under_way(trader: BrokerClient) -> None:
    order_id = trader.order("KO", "buy", "1", limit_price="1.00")["id"]
    fault(trader, "drop_response", match="DELETE /v2/orders/")
    with pytest.raises(httpx.RemoteProtocolError):
        trader.delete(f"/v2/orders/{order_id}")
    assert trader.read(order_id)["status"] == "pending_cancel"


@pytest.mark.parametrize("path", ["/v2/orders?status=all", "/v2/account/activities", "/v2/positions", "/v2/assets"])
def test_lists_come_doubled_and_shuffled(trader: BrokerClient, path: str) -> None:
    for symbol in ("KO", "AAPL", "MSFT", "SPY"):
        trader.order(symbol, "buy", "1")
    trader.process.advance(1)
    rows: list[dict[str, Any]] = trader.get(path).json()
    assert len(rows) >= 4
    fault(trader, "duplicate", match=f"GET {path}")
    assert trader.get(path).json() == [row for row in rows for _ in range(2)]
    fault(trader, "reorder", match=f"GET {path}")
    shuffled = trader.get(path).json()
    assert shuffled != rows
    assert sorted(shuffled, key=str) == sorted(rows, key=str)


def test_faults_of_one_provider_leave_the_other_alone(trader: BrokerClient) -> None:
    trader.process.fault("status:503", provider="teller")
    assert trader.get("/v2/account").status_code == 200
    trader.process.clear_faults()
    trader.process.fault("status:503", provider="alpaca")
    token = trader.process.credentials("acme")["teller"]["access_token"]
    assert httpx.get(f"{trader.process.url}/teller/accounts", verify=False, auth=(token, "")).status_code == 200
    assert trader.get("/v2/account").status_code == 503
