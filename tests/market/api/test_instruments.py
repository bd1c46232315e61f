"""GET /instruments and /instruments/{key}."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection as database
from rest_framework.test import APIClient

from apps.market.models import Instrument
from apps.market.selectors import instruments
from tests.factories.market import make_instrument, make_listing, this_time

URL = "/api/v1/instruments"


@pytest.fixture
def listed(acme) -> None:
    make_instrument("XNAS:AAPL", name="Apple Inc. Common Stock")
    make_instrument("XNAS:AAL", name="American Airlines Group Inc.")
    make_instrument("XNYS:BRK.B", name="Berkshire Hathaway Inc. Class B")
    make_instrument("CRYPTO:BTC-USD", name="Bitcoin / US Dollar")
    make_instrument("ARCX:A_B", name="100% Apple")
    make_listing("XNAS:AAPL", venue="alpaca")
    make_listing("XNAS:AAPL", venue="other", tradable=False)
    make_listing("XNAS:AAL", venue="alpaca", tradable=False)
    make_listing("XNYS:BRK.B", venue="other")
    make_listing("CRYPTO:BTC-USD", venue="alpaca", listed=False, tradable=False)


def keys(client: APIClient, **query: Any) -> list[str]:
    answer = client.get(URL, query)
    assert answer.status_code == 200, answer.content
    return [row["key"] for row in answer.json()["data"]]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("XNAS:", ["XNAS:AAL", "XNAS:AAPL"]),
        ("xnas:aap", ["XNAS:AAPL"]),
        ("AA", ["XNAS:AAL", "XNAS:AAPL"]),
        ("aapl", ["XNAS:AAPL"]),
        ("brk.b", ["XNYS:BRK.B"]),
        ("btc-", ["CRYPTO:BTC-USD"]),
        ("bERKshire hath", ["XNYS:BRK.B"]),
        ("Apple", ["XNAS:AAPL"]),
        ("Hathaway", []),
        ("A_", ["ARCX:A_B"]),
        ("100%", ["ARCX:A_B"]),
        ("%", []),
        ("\\", []),
    ],
)
def test_search_finds_the_beginning_of_key_symbol_or_name(
    listed, acme_viewer: APIClient, search: str, found: list[str]
) -> None:
    assert keys(acme_viewer, search=search) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["ARCX:A_B", "CRYPTO:BTC-USD", "XNAS:AAL", "XNAS:AAPL", "XNYS:BRK.B"]),
        ({"venue": "alpaca"}, ["XNAS:AAL", "XNAS:AAPL"]),
        ({"venue": "other"}, ["XNAS:AAPL", "XNYS:BRK.B"]),
        ({"venue": "nowhere"}, []),
        ({"tradable": "true"}, ["XNAS:AAPL", "XNYS:BRK.B"]),
        ({"tradable": "false"}, ["ARCX:A_B", "CRYPTO:BTC-USD", "XNAS:AAL"]),
        ({"venue": "alpaca", "tradable": "true"}, ["XNAS:AAPL"]),
        ({"venue": "alpaca", "tradable": "false"}, ["XNAS:AAL"]),
        ({"venue": "other", "tradable": "false", "search": "AA"}, ["XNAS:AAPL"]),
    ],
)
def test_filters(listed, acme_viewer: APIClient, query: dict[str, str], found: list[str]) -> None:
    assert keys(acme_viewer, **query) == found


def test_the_list_is_the_same_for_every_tenant(listed, acme_viewer: APIClient, globex_admin: APIClient) -> None:
    assert acme_viewer.get(URL).json() == globex_admin.get(URL).json()
    assert acme_viewer.get(URL).json()["data"][1] == {
        "key": "CRYPTO:BTC-USD",
        "symbol": "BTC-USD",
        "name": "Bitcoin / US Dollar",
        "asset_class": "crypto",
        "currency": "USD",
    }


def test_pages_go_by_key(listed, acme_viewer: APIClient) -> None:
    first = acme_viewer.get(URL, {"limit": 3}).json()
    second = acme_viewer.get(URL, {"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [row["key"] for row in first["data"] + second["data"]] == [
        "ARCX:A_B",
        "CRYPTO:BTC-USD",
        "XNAS:AAL",
        "XNAS:AAPL",
        "XNYS:BRK.B",
    ]
    assert second["next_cursor"] is None


def test_one_instrument_comes_with_its_listings(acme, acme_viewer: APIClient) -> None:
    make_listing("CRYPTO:BTC-USD", venue="zeta", listed=False, tradable=False, quantity_increment=None)
    coin = make_listing(
        "CRYPTO:BTC-USD",
        venue="alpaca",
        symbol="BTC/USD",
        shortable=False,
        fractionable=True,
        minimum_quantity=Decimal("0.000010"),
        quantity_increment=Decimal("1E-9"),
        price_increment=Decimal("0.50"),
    )
    answer = acme_viewer.get(f"{URL}/CRYPTO:BTC-USD")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["key"], [row["venue"] for row in body["listings"]]) == ("CRYPTO:BTC-USD", ["alpaca", "zeta"])
    assert body["listings"][0] == {
        "venue": "alpaca",
        "symbol": "BTC/USD",
        "listed": True,
        "tradable": True,
        "shortable": False,
        "fractionable": True,
        "minimum_quantity": "0.00001",
        "quantity_increment": "0.000000001",
        "price_increment": "0.5",
        "updated_at": this_time(coin.updated_at),
    }
    assert (body["listings"][1]["listed"], body["listings"][1]["quantity_increment"]) == (False, None)


def test_an_unknown_instrument_is_not_found(listed, acme_viewer: APIClient) -> None:
    for key in ("XNAS:NOPE", "xnas:aapl", "AAPL", "%00", "XNAS:AAPL%0A", "..", "X" * 3000):
        answer = acme_viewer.get(f"{URL}/{key}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), key


def test_a_search_by_prefix_reads_indexes(acme) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            """INSERT INTO market_instrument (id, key, symbol, name, asset_class, currency, created_at)
               SELECT gen_random_uuid(), 'XNAS:S' || n, 'S' || n, 'Company ' || n, 'equity', 'USD', now()
               FROM generate_series(1, 30000) AS n"""
        )
        cursor.execute("ANALYZE market_instrument")
    plan = instruments(search="s1234").order_by("key")[:51].explain()
    assert "Seq Scan" not in plan
    for index in ("market_instrument_key", "market_instrument_symbol", "market_instrument_name"):
        assert index in plan, plan
    assert Instrument.objects.count() == 30_000
