"""The twin's objects beside Alpaca's specification and what its SDKs recorded."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.sandbox.conftest import BrokerClient

pytestmark = pytest.mark.no_database

# Recorded for options, for foreign currencies or by hand: no plain order or account has them.
NOT_OF_AN_ORDER = {"commission", "cancel_requested_at"}
RECORDED_ORDERS = (
    "trading_order_routes__get_order_by_id.json",
    "trading_order_routes__limit_order.json",
    "trading_order_routes__market_order.json",
    "trading_order_routes__replace_order.json",
    "trading_order_routes__order_position_intent_2.json",
    "trading_position_routes__close_position_with_percentage.json",
)


def recorded(realdata: Path, name: str) -> Any:
    return json.loads((realdata / "recordings" / name).read_text())


@pytest.fixture(scope="module")
def schemas(realdata: Path) -> dict[str, Any]:
    text = (realdata / "openapi" / "alpaca_trading_openapi.yaml").read_text()
    found: dict[str, Any] = yaml.safe_load(text)["components"]["schemas"]
    return found


def properties(schemas: dict[str, Any], name: str) -> set[str]:
    return set(schemas[name]["properties"])


@pytest.fixture
def traded(trader: BrokerClient) -> BrokerClient:
    """An account that has bought something."""
    trader.order("AAPL", "buy", "5")
    trader.process.advance(1)
    return trader


def test_orders(traded: BrokerClient, realdata: Path, schemas: dict[str, Any]) -> None:
    (order,) = traded.get("/v2/orders", params={"status": "all"}).json()
    assert properties(schemas, "Order") <= set(order)
    for name in RECORDED_ORDERS:
        example = recorded(realdata, f"alpaca/{name}")
        assert set(example) - NOT_OF_AN_ORDER <= set(order), name
        strings = {field for field, value in example.items() if isinstance(value, str) and order[field] is not None}
        assert all(isinstance(order[field], str) for field in strings), name
    assert order["status"] in schemas["OrderStatus"]["enum"]


def test_account(traded: BrokerClient, realdata: Path, schemas: dict[str, Any]) -> None:
    account = traded.get("/v2/account").json()
    assert properties(schemas, "Account") <= set(account)
    example = recorded(realdata, "alpaca/trading_account_routes__get_account.json")
    levels = {"options_approved_level", "options_trading_level"}
    assert set(example) <= set(account)
    assert {name for name in example if type(account[name]) is not type(example[name])} <= levels


def test_assets(traded: BrokerClient, realdata: Path, schemas: dict[str, Any]) -> None:
    asset = traded.get("/v2/assets/AAPL").json()
    assert properties(schemas, "Assets") <= set(asset)
    (example,) = recorded(realdata, "alpaca/trading_asset_routes__get_all_assets_params.json")
    assert set(example) - set(asset) == {"last_close_pct_change", "last_price"}


def test_positions_clock_and_calendar(traded: BrokerClient, schemas: dict[str, Any]) -> None:
    (position,) = traded.get("/v2/positions").json()
    assert properties(schemas, "Position") <= set(position)
    assert set(traded.get("/v2/clock").json()) == properties(schemas, "Clock")
    assert properties(schemas, "Calendar") <= set(traded.get("/v2/calendar").json()[0])


def test_activities(traded: BrokerClient, schemas: dict[str, Any]) -> None:
    fill, deposit = traded.get("/v2/account/activities").json()
    assert set(fill) == set(schemas["TradingActivities"]["x-examples"]["example-1"])
    assert set(deposit) - {"description", "status"} <= properties(schemas, "NonTradeActivities")


def test_quotes_and_trades(traded: BrokerClient, realdata: Path) -> None:
    for kind, name in (
        ("quotes", "data_historical_stock_data__get_latest_quote.json"),
        ("trades", "data_historical_stock_data__get_multisymbol_latest_trade.json"),
    ):
        shown = traded.get(f"/v2/stocks/{kind}/latest", params={"symbols": "AAPL"}).json()
        example = recorded(realdata, f"alpaca/{name}")
        assert set(shown) == set(example)
        ours, theirs = shown[kind]["AAPL"], example[kind]["AAPL"]
        assert {field: type(value) for field, value in ours.items()} == {
            field: type(value) for field, value in theirs.items()
        }
    for kind, name in (
        ("quotes", "go_marketdata_TestLatestCryptoQuote_1.json"),
        ("trades", "go_marketdata_TestLatestCryptoTrade_1.json"),
    ):
        shown = traded.get(f"/v1beta3/crypto/us/latest/{kind}", params={"symbols": "BTC/USD"}).json()
        (example,) = recorded(realdata, f"alpaca/{name}")[kind].values()
        assert set(shown[kind]["BTC/USD"]) == set(example)


def test_refusals(traded: BrokerClient, realdata: Path) -> None:
    both = traded.post("/v2/orders", json={**traded.body("AAPL", "buy", "1"), "notional": "5"})
    assert both.json() == recorded(realdata, "alpaca/legacy_rest__errors_3.json")
    body = traded.body("AAPL", "buy", "1", limit_price="290.123")
    penny = traded.post("/v2/orders", json=body)
    assert penny.json() == recorded(realdata, "alpaca_streaming/trading_orders_00_limit_order.json")
    too_many = traded.post("/v2/orders", json=traded.body("AAPL", "sell", "1000")).json()
    example = recorded(realdata, "alpaca/trading_position_routes__close_all_positions.json")[1]["body"]
    assert set(too_many) == set(example)
    assert too_many["message"] == example["message"].replace("available: 0", "available: 5")


def test_the_documents_stream_example_has_our_fields(traded: BrokerClient, realdata: Path) -> None:
    example = recorded(realdata, "alpaca_streaming/trading-api_streaming_08_example.json")
    (order,) = traded.state()["orders"]
    assert set(example["data"]["order"]) - NOT_OF_AN_ORDER <= set(order)
