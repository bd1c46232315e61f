"""Judge an order against the account that places it: blocks, shares at hand, shorts, buying power.

Valuation of opening orders, from Alpaca's documentation: a limit or stop at its price; a market buy 2.5 % above
the ask, 4 % below 50 USD; a short at the higher of its limit and 3 % above the ask. One order never turns a
long position short or the reverse.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn

from sandbox.providers.alpaca import wire
from sandbox.providers.alpaca.accounts import Account
from sandbox.providers.alpaca.assets import Asset
from sandbox.providers.alpaca.drafts import refuse, unprocessable
from sandbox.providers.alpaca.orders import BUY, ZERO, Order, Terms
from sandbox.providers.alpaca.prices import Quote, Tape

MARKET_BUY = Decimal("1.025")
CHEAP_MARKET_BUY = Decimal("1.04")
CHEAP = Decimal(50)
SHORT = Decimal("1.03")
CENTS = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Commitment:
    """Carry what an order ties up: buying power when it opens, shares when it closes."""

    intent: str
    money: Decimal
    held: Decimal

    def as_args(self) -> dict[str, str]:
        """Return it as the journal keeps it."""
        return {"intent": self.intent, "money": wire.text(self.money), "held": wire.text(self.held)}


def commitment(
    account: Account, terms: Terms, asset: Asset, *, tape: Tape, virtual: float, old: Order | None = None
) -> Commitment:
    """Return what an order ties up, or refuse it; what an order that it replaces ties up counts as free."""
    if account.account_blocked or account.trading_blocked:
        refuse(403, wire.FORBIDDEN, "account is not authorized to trade")
    quote = tape.quote(asset.symbol, virtual)
    qty = terms.qty if terms.qty is not None else (terms.notional or ZERO) / quote.ask
    position = account.qty(asset.symbol)
    is_buy = terms.side == BUY
    if position and (position < 0) == is_buy:
        return _close(account, terms, asset, qty, old)
    if is_buy:
        money = terms.notional or qty * _buy_price(terms, quote)
    else:
        _check_short(account, terms, asset, qty)
        money = qty * max(terms.limit or ZERO, quote.ask * SHORT)
    _check_money(account, asset, money, tape, virtual, old)
    return Commitment("buy_to_open" if is_buy else "sell_to_open", money, ZERO)


def _close(account: Account, terms: Terms, asset: Asset, qty: Decimal, old: Order | None) -> Commitment:
    available = account.available(asset.symbol) + (old.held if old else ZERO)
    if qty > available:
        refuse_shares(account, asset.symbol, qty, available)
    return Commitment("buy_to_close" if terms.side == BUY else "sell_to_close", ZERO, qty)


def refuse_shares(account: Account, symbol: str, qty: Decimal, available: Decimal) -> NoReturn:
    """Refuse an order for more than is at hand."""
    held = account.held.get(symbol, ZERO)
    refuse(
        403,
        wire.FORBIDDEN,
        f"insufficient qty available for order (requested: {wire.text(qty)}, available: {wire.text(available)})",
        available=wire.text(available),
        existing_qty=wire.text(abs(account.qty(symbol))),
        held_for_orders=wire.text(held),
        symbol=symbol,
    )


def _buy_price(terms: Terms, quote: Quote) -> Decimal:
    price = terms.limit or terms.stop
    if price is not None:
        return price
    return quote.ask * (CHEAP_MARKET_BUY if quote.ask < CHEAP else MARKET_BUY)


def _check_short(account: Account, terms: Terms, asset: Asset, qty: Decimal) -> None:
    if asset.is_crypto:
        refuse_shares(account, asset.symbol, qty, ZERO)
    if not account.shorting_enabled:
        refuse(403, wire.FORBIDDEN, "account is not allowed to short")
    if not asset.shortable:
        unprocessable(f'asset "{asset.symbol}" cannot be sold short')
    if terms.notional is not None or qty != qty.to_integral_value():
        unprocessable("fractional orders cannot be sold short")


def _check_money(account: Account, asset: Asset, money: Decimal, tape: Tape, virtual: float, old: Order | None) -> None:
    value = account.value(tape, virtual)
    power = value.buying_power + (old.reserved if old else ZERO)
    if asset.is_crypto:
        power /= account.multiplier
    if money > power:
        refuse(
            403,
            wire.FORBIDDEN,
            "insufficient buying power",
            buying_power=wire.text(power.quantize(CENTS)),
            cost_basis=wire.text(money.quantize(CENTS)),
        )
