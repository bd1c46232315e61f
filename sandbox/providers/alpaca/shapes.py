"""Write accounts and positions as Alpaca shows them."""

from decimal import Decimal
from typing import Any

from sandbox.providers.alpaca.accounts import CENTS, Account, Position
from sandbox.providers.alpaca.hours import midnight_before
from sandbox.providers.alpaca.orders import ZERO
from sandbox.providers.alpaca.prices import Tape
from sandbox.providers.alpaca.wire import stamp, text

RATIO = Decimal("0.0000000000000001")


def account_object(account: Account, tape: Tape, virtual: float) -> dict[str, Any]:
    """Return `GET /v2/account`."""
    value = account.value(tape, virtual)
    power = value.buying_power
    opening = account.begin_day(tape, virtual).equity
    return {
        "id": account.id,
        "account_number": account.number,
        "status": "ACTIVE",
        "crypto_status": "ACTIVE",
        "currency": "USD",
        "buying_power": _money(power),
        "regt_buying_power": _money(power),
        "daytrading_buying_power": "0",
        "effective_buying_power": _money(power),
        "non_marginable_buying_power": _money(power / account.multiplier),
        "options_buying_power": _money(power / account.multiplier),
        "bod_dtbp": "0",
        "cash": text(account.cash),
        "accrued_fees": "0",
        "pending_transfer_in": "0",
        "portfolio_value": _money(value.equity),
        "pattern_day_trader": False,
        "trading_blocked": account.trading_blocked,
        "transfers_blocked": False,
        "account_blocked": account.account_blocked,
        "created_at": stamp(account.created_at),
        "trade_suspended_by_user": False,
        "multiplier": str(account.multiplier),
        "shorting_enabled": account.shorting_enabled,
        "equity": _money(value.equity),
        "last_equity": _money(opening),
        "long_market_value": _money(value.long),
        "short_market_value": _money(value.short),
        "position_market_value": _money(value.long + value.short),
        "initial_margin": _money(value.initial_margin),
        "maintenance_margin": _money(value.maintenance_margin),
        "last_maintenance_margin": "0",
        "sma": _money(opening),
        "daytrade_count": 0,
        "balance_asof": stamp(account.created_at)[:10],
        "crypto_tier": 1,
        "intraday_adjustments": "0",
        "pending_reg_taf_fees": "0",
        "options_approved_level": 0,
        "options_trading_level": 0,
    }


def position_object(account: Account, position: Position, tape: Tape, virtual: float) -> dict[str, Any]:
    """Return one row of `GET /v2/positions`."""
    asset = position.asset
    price = tape.quote(asset.symbol, virtual).last
    before = tape.process(asset.symbol, midnight_before(virtual))
    value = position.qty * price
    gain = value - position.cost
    today = position.qty * (price - before)
    return {
        "asset_id": asset.id,
        "symbol": asset.symbol.replace("/", ""),
        "exchange": asset.exchange,
        "asset_class": asset.asset_class,
        "asset_marginable": not asset.is_crypto,
        "qty": text(position.qty),
        "avg_entry_price": text(position.average),
        "side": "long" if position.qty > 0 else "short",
        "market_value": text(value),
        "cost_basis": text(position.cost),
        "unrealized_pl": text(gain),
        "unrealized_plpc": _ratio(gain, abs(position.cost)),
        "unrealized_intraday_pl": text(today),
        "unrealized_intraday_plpc": _ratio(today, abs(position.qty * before)),
        "current_price": text(price),
        "lastday_price": text(before),
        "change_today": _ratio(price - before, before),
        "qty_available": text(account.available(asset.symbol) * (1 if position.qty > 0 else -1)),
    }


def _money(value: Decimal) -> str:
    return text(value.quantize(CENTS))


def _ratio(part: Decimal, whole: Decimal) -> str:
    return text((part / whole).quantize(RATIO)) if whole else text(ZERO)
