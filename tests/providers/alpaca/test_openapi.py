"""What the adapter says and expects, held against Alpaca's own OpenAPI documents."""

from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from openapi_schema_validator import OAS30Validator

from apps.providers.adapters.alpaca.mapping.assets import EXCHANGES
from apps.providers.adapters.alpaca.mapping.orders import map_order, order_body, replacement_body
from apps.providers.trading import OrderType, Side, TimeInForce, VenueOrder
from tests.providers.alpaca.conftest import order
from tests.providers.alpaca.test_mapping import ORDER

pytestmark = pytest.mark.no_database

# Method, path and query parameters of every call that the documents know. They are older than /v2/assets,
# /v2/orders:by_client_order_id and the crypto endpoints of today; the official SDK stands for those.
CALLS = [
    ("trading", "get", "/v2/account", set()),
    ("trading", "get", "/v2/clock", set()),
    ("trading", "get", "/v2/positions", set()),
    ("trading", "get", "/v2/orders", {"status", "direction", "limit", "nested", "after"}),
    ("trading", "post", "/v2/orders", set()),
    ("trading", "get", "/v2/orders/{order_id}", set()),
    ("trading", "patch", "/v2/orders/{order_id}", set()),
    ("trading", "delete", "/v2/orders/{order_id}", set()),
    ("trading", "get", "/v2/account/activities", {"direction", "page_size", "page_token"}),
    ("trading", "get", "/v2/account/activities/{activity_type}", {"direction", "page_size", "page_token", "after"}),
    ("market_data", "get", "/v2/stocks/quotes/latest", {"symbols"}),
]


@pytest.fixture(scope="module")
def documents(realdata: Path) -> dict[str, Any]:
    names = ("trading", "market_data")
    return {name: yaml.safe_load((realdata / f"openapi/alpaca_{name}_openapi.yaml").read_text()) for name in names}


@pytest.fixture(scope="module")
def schemas(documents) -> dict[str, Any]:
    found: dict[str, Any] = documents["trading"]["components"]["schemas"]
    return found


def parameters(document: dict[str, Any], path: str, method: str) -> set[str]:
    item = document["paths"][path]
    found = [*item.get("parameters", []), *item[method].get("parameters", [])]
    return {_resolved(document, each)["name"] for each in found if _resolved(document, each)["in"] == "query"}


def _resolved(document: dict[str, Any], parameter: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in parameter:
        target: Any = document
        for part in parameter["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        parameter = target
    return parameter


@pytest.mark.parametrize(("name", "method", "path", "query"), CALLS)
def test_every_call_is_documented(documents, name, method, path, query):
    assert query <= parameters(documents[name], path, method)


def test_every_state_of_an_order_is_known(schemas):
    for word in schemas["OrderStatus"]["enum"]:
        assert isinstance(map_order({**ORDER, "status": word}), VenueOrder)


def test_every_exchange_is_known(schemas):
    assert set(schemas["Exchange"]["enum"]) <= set(EXCHANGES)


def test_our_words_are_theirs(schemas):
    assert set(get_args(Side)) == set(schemas["OrderSide"]["enum"])
    assert set(get_args(OrderType)) <= set(schemas["OrderType"]["enum"])
    assert set(get_args(TimeInForce)) <= set(schemas["TimeInForce"]["enum"])


@pytest.mark.parametrize(
    "request_",
    [
        order(),
        order(type="limit", limit_price=Decimal("190.25")),
        order(type="stop", stop_price=Decimal("180"), side="sell", time_in_force="gtc"),
        order(type="stop_limit", stop_price=Decimal("180"), limit_price=Decimal("179.5"), time_in_force="fok"),
    ],
    ids=["market", "limit", "stop", "stop_limit"],
)
def test_what_we_send_fits(schemas, request_):
    # The document asks for `notional` beside `qty` in requests, too; of the two the venue takes one.
    required = [name for name in schemas["Order"]["required"] if name != "notional"]
    components = {"components": {"schemas": {**schemas, "Order": {**schemas["Order"], "required": required}}}}
    body = order_body(request_)
    assert set(body) <= set(schemas["Order"]["properties"])
    assert list(OAS30Validator({"$ref": "#/components/schemas/Order", **components}).iter_errors(body)) == []
    replacement = replacement_body(request_)
    assert set(replacement) <= set(schemas["PatchOrderRequest"]["properties"])
    validator = OAS30Validator({"$ref": "#/components/schemas/PatchOrderRequest", **components})
    assert list(validator.iter_errors(replacement)) == []
