"""What becomes of each recording of Alpaca's wire: the mapping that takes it, or why nothing does.

Recordings come in literals of SDK tests and examples of the documentation; some were edited by hand. The literals of
alpaca-py's orders name the symbol "AAPL`", with a backtick that no symbol has.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from apps.providers.adapters.alpaca.errors import classify_error
from apps.providers.adapters.alpaca.mapping.accounts import map_account, map_balance, map_clock, map_means
from apps.providers.adapters.alpaca.mapping.activities import map_activity, map_fill
from apps.providers.adapters.alpaca.mapping.assets import map_asset, map_position
from apps.providers.adapters.alpaca.mapping.orders import map_order, map_update
from apps.providers.adapters.alpaca.mapping.quotes import map_quote

Read = Callable[[Any], list[Any]]


def one(mapping: Callable[[Any], Any]) -> Read:
    return lambda raw: [mapping(raw)]


def each(mapping: Callable[[Any], Any]) -> Read:
    return lambda raw: [mapping(row) for row in raw]


def account(raw: Any) -> list[Any]:
    return [map_account(raw, mode="live"), map_balance(raw, raw["id"]), map_means(raw)]


def activities(raw: Any) -> list[Any]:
    fills = [row for row in raw if row["activity_type"] == "FILL"]
    return [*[map_activity(row, "USD") for row in raw], *map(map_fill, fills)]


def closed_positions(raw: Any) -> list[Any]:
    """Each position was closed by an order, or refused with an error."""
    return [
        map_order(row["body"]) if row["status"] == 200 else classify_error(row["status"], row["body"]) for row in raw
    ]


def positions_by_account(raw: Any) -> list[Any]:
    return [map_position(row) for rows in raw["positions"].values() for row in rows]


def watchlist(raw: Any) -> list[Any]:
    return [map_asset(row) for row in raw["assets"]]


def latest_quotes(raw: Any) -> list[Any]:
    return [map_quote(symbol, row) for symbol, row in raw["quotes"].items()]


def quotes(raw: Any) -> list[Any]:
    return [map_quote(symbol, row) for symbol, rows in raw["quotes"].items() for row in rows]


def quote_of_snapshots(raw: Any) -> list[Any]:
    return [map_quote(symbol, row["latestQuote"]) for symbol, row in raw.get("snapshots", raw).items()]


def refusal(status: int) -> Read:
    return lambda raw: [classify_error(status, raw)]


def without_backtick(raw: Any) -> Any:
    return {**raw, "symbol": raw["symbol"].removesuffix("`")}


def hand_edited_order(raw: Any) -> list[Any]:
    assert raw["symbol"] == "AAPL`"
    return [map_order(without_backtick(raw))]


# By file, without its suffix.
MAPPED: dict[str, Read] = {
    "alpaca/broker_account_activities_routes__get_activities_for_account_max_items_and_single_request_date": activities,
    "alpaca/broker_account_activities_routes__setup_reqmock_for_paginated_account_activities_response": activities,
    "alpaca/broker_accounts_routes__get_trade_account_by_id_without_deprecated_pdt_fields": account,
    "alpaca/broker_misc_routes__get_clock": one(map_clock),
    "alpaca/broker_trading_routes__close_all_positions_for_account": closed_positions,
    "alpaca/broker_trading_routes__close_position_for_account_with_percentage": hand_edited_order,
    "alpaca/broker_trading_routes__get_all_accounts_positions": positions_by_account,
    "alpaca/broker_watchlist_routes__add_asset_to_watchlist": watchlist,
    "alpaca/broker_watchlist_routes__create_watchlist_for_account": watchlist,
    "alpaca/data_historical_crypto_data__crypto_get_snapshot": quote_of_snapshots,
    "alpaca/data_historical_crypto_data__get_crypto_quotes": quotes,
    "alpaca/data_historical_stock_data__get_latest_quote": latest_quotes,
    "alpaca/data_historical_stock_data__get_snapshot": quote_of_snapshots,
    "alpaca/data_historical_stock_data__multisymbol_quotes": quotes,
    "alpaca/go_alpaca_TestGetAssetFromJSON_1": one(map_asset),
    "alpaca/go_marketdata_TestCryptoSnapshot_1": quote_of_snapshots,
    "alpaca/go_marketdata_TestGetMultiQuotes_1": quotes,
    "alpaca/go_marketdata_TestGetQuotes_2": quotes,
    "alpaca/go_marketdata_TestLatestCryptoQuote_1": latest_quotes,
    "alpaca/go_marketdata_TestLatestQuote_1": latest_quotes,
    "alpaca/go_marketdata_TestSnapshot_1": quote_of_snapshots,
    "alpaca/legacy_rest__chronos_1": one(map_clock),
    "alpaca/legacy_rest__data_3": lambda raw: [map_quote(raw["symbol"], raw["latestQuote"])],
    "alpaca/legacy_rest__errors_1": refusal(422),
    "alpaca/legacy_rest__errors_3": refusal(422),
    "alpaca/legacy_rest__errors_5": refusal(422),
    "alpaca/legacy_rest__watchlists_2": watchlist,
    "alpaca/legacy_rest__watchlists_4": watchlist,
    "alpaca/trading_account_routes__get_account": account,
    "alpaca/trading_asset_routes__get_all_assets_params": each(map_asset),
    "alpaca/trading_order_routes__get_order_by_id": hand_edited_order,
    "alpaca/trading_order_routes__limit_order": hand_edited_order,
    "alpaca/trading_order_routes__market_order": hand_edited_order,
    "alpaca/trading_order_routes__order_position_intent_2": hand_edited_order,
    "alpaca/trading_order_routes__replace_order": hand_edited_order,
    "alpaca/trading_position_routes__close_all_positions": closed_positions,
    "alpaca/trading_position_routes__close_position_with_percentage": hand_edited_order,
    "alpaca_streaming/trading-api_streaming_08_example": lambda raw: [map_update(raw["data"])],
    "alpaca_streaming/trading_orders_00_limit_order": refusal(422),
    "alpaca_streaming/trading_orders_00_sample_order_object": one(map_order),
    "alpaca_streaming/trading_orders_04_response": one(map_order),
}

# What the adapter sends, or what it is answered before any update: test_stream.py and test_mapping.py read these.
SPOKEN = {
    "alpaca_streaming/trading-api_streaming_00_streaming",
    "alpaca_streaming/trading-api_streaming_02_authentication",
    "alpaca_streaming/trading-api_streaming_04_authentication",
    "alpaca_streaming/trading-api_streaming_06_trade_updates",
    "alpaca_streaming/trading_orders_02_sample_request",
}

# Reviewed: what the adapter does not take, by reason.
_REFUSED_BY_REASON: dict[str, tuple[str, ...]] = {
    "Broker API: accounts and documents of a broker's customers, not of the key's owner": (
        "alpaca/broker_accounts_routes__create_ira_account",
        "alpaca/broker_accounts_routes__get_account",
        "alpaca/broker_accounts_routes__list_accounts_parses_entities_if_present",
        "alpaca/broker_accounts_routes__update_account",
        "alpaca/broker_documents_routes__get_trade_document_for_account_by_id",
        "alpaca/broker_documents_routes__upload_documents_to_account",
    ),
    "Broker API: funding and journals; their cash comes as activities": (
        "alpaca/broker_funding_routes__create_bank_for_account",
        "alpaca/broker_funding_routes__create_transfer_for_account",
        "alpaca/broker_funding_routes__get_ach_relationships_for_account",
        "alpaca/broker_funding_routes__setup_reqmock_for_paginated_transfers_response_2",
        "alpaca/broker_journal_routes__create_lct_journal",
        "alpaca/broker_journal_routes__get_journal_by_id",
        "alpaca/broker_journal_routes__reverse_batch_journal",
    ),
    "Broker API: rebalancing": (
        "alpaca/broker_rebalancing_routes__create_manual_run",
        "alpaca/broker_rebalancing_routes__get_all_portfolios",
        "alpaca/broker_rebalancing_routes__get_all_runs_2",
        "alpaca/broker_rebalancing_routes__get_all_subscriptions",
        "alpaca/broker_rebalancing_routes__update_portfolio_by_id",
    ),
    "configuration of an account: read as flags of the account itself": (
        "alpaca/broker_accounts_routes__update_trade_configuration_for_account",
        "alpaca/trading_account_routes__get_account_configurations_without_deprecated_pdt_fields",
    ),
    "history of a portfolio: we keep our own": (
        "alpaca/broker_trading_routes__get_portfolio_history_with_filter",
        "alpaca/broker_trading_routes__get_portfolio_history_with_null_pl_pct",
    ),
    "watchlists without assets": (
        "alpaca/broker_watchlist_routes__get_watchlists_for_account",
        "alpaca/broker_watchlist_routes__remove_asset_from_watchlist_for_account",
    ),
    "corporate actions": (
        "alpaca/data_corporate_actions__get_corporate_actions_2",
        "alpaca/go_marketdata_TestGetCorporateActions_1",
        "alpaca/trading_corporate_announcements__get_announcements",
    ),
    "news": (
        "alpaca/data_historical_news_data__get_news",
        "alpaca/go_marketdata_TestGetNews_1",
        "alpaca/legacy_rest__data_5",
    ),
    "options": (
        "alpaca/data_historical_option_data__get_bars",
        "alpaca/data_historical_option_data__get_bars_single_empty_response",
        "alpaca/data_historical_option_data__get_latest_quote",
        "alpaca/data_historical_option_data__get_latest_quote_single_empty_response",
        "alpaca/data_historical_option_data__get_latest_trade",
        "alpaca/data_historical_option_data__get_multisymbol_latest_trade",
        "alpaca/data_historical_option_data__get_snapshot",
        "alpaca/data_historical_option_data__get_snapshot_multi_empty_response",
        "alpaca/data_historical_option_data__get_snapshot_with_feed",
        "alpaca/data_historical_option_data__get_trades",
        "alpaca/data_historical_option_data__get_trades_single_empty_response",
        "alpaca/go_marketdata_TestGetLatestOptionQuote_1",
        "alpaca/go_marketdata_TestGetOptionBars_1",
        "alpaca/go_marketdata_TestGetOptionChainWithFilters_2",
        "alpaca/go_marketdata_TestGetOptionChain_1",
        "alpaca/trading_option_routes__get_option_contracts_with_multiple_symbols",
    ),
    "fixed income and perpetual futures": (
        "alpaca/go_alpaca_TestGetUSCorporates_1",
        "alpaca/go_marketdata_TestGetFixedIncomeLatestPrices_1",
        "alpaca/go_marketdata_TestGetLatestCryptoPerpPricing_1",
        "alpaca/go_marketdata_TestLatestCryptoPerpQuote_1",
        "alpaca/go_marketdata_TestLatestCryptoPerpTrade_1",
    ),
    "bars: no part of the adapter yet": (
        "alpaca/data_historical_stock_data__get_bars",
        "alpaca/data_historical_stock_data__get_bars_multi_empty_response",
        "alpaca/data_historical_stock_data__multi_stock_latest_bar",
        "alpaca/data_historical_stock_data__multisymbol_get_bars",
        "alpaca/go_marketdata_TestDefaultDo_Retry_1",
        "alpaca/go_marketdata_TestGetBars_Adjustment_1",
        "alpaca/go_marketdata_TestGetBars_Asof_1",
        "alpaca/go_marketdata_TestGetCryptoBars_1",
        "alpaca/go_marketdata_TestLatestBar_1",
        "alpaca/go_marketdata_TestLatestBar_Currency_2",
        "alpaca/go_marketdata_TestLatestBar_Feed_2",
        "alpaca/go_marketdata_TestLatestCryptoBar_1",
    ),
    "trades and auctions of the market: prices come as quotes": (
        "alpaca/data_historical_crypto_data__get_crypto_latest_trade",
        "alpaca/data_historical_stock_data__get_multisymbol_latest_trade",
        "alpaca/data_historical_stock_data__get_trades",
        "alpaca/data_historical_stock_data__get_trades_multi_empty_response",
        "alpaca/go_marketdata_TestGetAuctions_2",
        "alpaca/go_marketdata_TestGetCryptoMultiTrades_2",
        "alpaca/go_marketdata_TestGetCryptoMultiTrades_4",
        "alpaca/go_marketdata_TestGetCryptoTrades_1",
        "alpaca/go_marketdata_TestGetMultiAuctions_1",
        "alpaca/go_marketdata_TestGetMultiTrades_1",
        "alpaca/go_marketdata_TestGetTrades_1",
        "alpaca/go_marketdata_TestGetTrades_Currency_2",
        "alpaca/go_marketdata_TestLatestCryptoTrade_1",
        "alpaca/go_marketdata_TestLatestTrade_1",
        "alpaca/legacy_rest__data_1",
    ),
    "screener": ("alpaca/data_screener__get_market_movers",),
    "a stub of a test, not an answer of Alpaca's": ("alpaca/go_alpaca_TestCancelAllPositions_1",),
    "version 1 of the API: assets without a class": ("alpaca/legacy_rest__api_2",),
    "version 1 of the API: orders without a symbol": ("alpaca/legacy_rest__orders_1", "alpaca/legacy_rest__orders_3"),
    "version 1 of the API: positions without a symbol": ("alpaca/legacy_rest__positions_1",),
    "orders of several legs are not placed": (
        "alpaca_streaming/trading_orders_02_bracket_orders",
        "alpaca_streaming/trading_orders_04_oto_orders",
    ),
    "the stream of market data: quotes are asked for": (
        "alpaca_streaming/crypto-pricing-data_realtime_00_establishment",
        "alpaca_streaming/crypto-pricing-data_realtime_02_establishment",
        "alpaca_streaming/crypto-pricing-data_realtime_04_subscribe",
        "alpaca_streaming/crypto-pricing-data_realtime_06_control_messages",
        "alpaca_streaming/crypto-pricing-data_realtime_08_errors",
        "alpaca_streaming/crypto-pricing-data_realtime_10_errors",
        "alpaca_streaming/crypto-pricing-data_realtime_12_errors",
        "alpaca_streaming/crypto-pricing-data_realtime_14_errors",
        "alpaca_streaming/crypto-pricing-data_realtime_16_errors",
        "alpaca_streaming/crypto-pricing-data_realtime_18_subscription_confirmation",
        "alpaca_streaming/stock-pricing-data_realtime_01_establishment",
        "alpaca_streaming/stock-pricing-data_realtime_03_authentication",
        "alpaca_streaming/stock-pricing-data_realtime_05_unsubscribe",
        "alpaca_streaming/stock-pricing-data_realtime_07_control_messages",
        "alpaca_streaming/stock-pricing-data_realtime_09_errors",
        "alpaca_streaming/stock-pricing-data_realtime_11_errors",
        "alpaca_streaming/stock-pricing-data_realtime_13_errors",
        "alpaca_streaming/stock-pricing-data_realtime_15_errors",
        "alpaca_streaming/stock-pricing-data_realtime_17_errors",
        "alpaca_streaming/stock-pricing-data_realtime_19_errors",
        "alpaca_streaming/stock-pricing-data_realtime_21_example",
        "alpaca_streaming/stock-pricing-data_realtime_23_example",
    ),
}
REFUSED = {name: reason for reason, names in _REFUSED_BY_REASON.items() for name in names}


def names(realdata: Path) -> Iterator[str]:
    """Yield the name of every recording that there is."""
    for folder in ("alpaca", "alpaca_streaming"):
        for path in (realdata / "recordings" / folder).glob("*.json"):
            yield f"{folder}/{path.stem}"


def load(realdata: Path, name: str) -> Any:
    """Return a recording, decimals exact as the transport reads them."""
    from decimal import Decimal

    return json.loads((realdata / "recordings" / f"{name}.json").read_text(), parse_float=Decimal)


def read(realdata: Path, name: str) -> list[Any]:
    """Return what our mapping makes of a recording."""
    return MAPPED[name](load(realdata, name))
