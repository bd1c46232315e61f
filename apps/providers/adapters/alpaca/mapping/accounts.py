"""Account, balance, means, clock. Source: the trading OpenAPI document, schemas Account and Clock."""

from decimal import Decimal
from typing import Any

import msgspec

from apps.providers.adapters.alpaca.mapping.values import Currency, Id, Stamp, in_utc, mapped, number, text
from apps.providers.adapters.rejection import reject
from apps.providers.trading import ClockData, MeansData
from apps.providers.types import AccountData, AccountMode, BalanceData, RejectedRow


class _Account(msgspec.Struct):
    id: Id
    status: str
    currency: Currency
    account_number: str | None = None
    multiplier: Decimal = Decimal(1)


class _Balance(msgspec.Struct):
    id: Id
    currency: Currency
    cash: Decimal


class _Means(msgspec.Struct):
    id: Id
    status: str
    currency: Currency
    equity: Decimal
    cash: Decimal
    buying_power: Decimal
    trading_blocked: bool
    account_blocked: bool
    trade_suspended_by_user: bool


class _Clock(msgspec.Struct):
    timestamp: Stamp
    is_open: bool
    next_open: Stamp | None = None
    next_close: Stamp | None = None


def map_account(raw: Any, *, mode: AccountMode) -> AccountData | RejectedRow:
    """Return the account; it is closed only when Alpaca says so, not while trading is blocked."""

    def build() -> AccountData:
        account = msgspec.convert(raw, _Account)
        number_shown = text(account.account_number)
        return AccountData(
            external_id=account.id,
            name=number_shown or account.id,
            kind="brokerage",
            subtype="margin" if number(account.multiplier) > 1 else "cash",
            currency=account.currency,
            status="closed" if account.status == "ACCOUNT_CLOSED" else "open",
            last_four=number_shown[-4:],
            institution_name="Alpaca",
            mode=mode,
        )

    return mapped("account", raw, build)


def map_balance(raw: Any, external_id: str) -> BalanceData | RejectedRow:
    """Return the cash as the current balance, since our books of a brokerage account are its cash movements.

    There is no available balance: what may be spent follows the prices of what is held, from one moment to the next,
    so it is read as the account's means, and never makes a balance look changed.
    """

    def build() -> BalanceData:
        balance = msgspec.convert(raw, _Balance)
        if balance.id != external_id:
            raise msgspec.ValidationError("It belongs to another account.")
        return BalanceData(
            external_id=external_id,
            currency=balance.currency,
            current=number(balance.cash),
            available=None,
        )

    found = mapped("balance", raw, build)
    return found if isinstance(found, BalanceData) else reject("balance", raw, found.reason, external_id=external_id)


def map_means(raw: Any) -> MeansData | RejectedRow:
    """Return what the account may spend. Every flag that may block trading has to be there, or nothing is known."""

    def build() -> MeansData:
        means = msgspec.convert(raw, _Means)
        return MeansData(
            external_id=means.id,
            currency=means.currency,
            equity=number(means.equity),
            cash=number(means.cash),
            buying_power=number(means.buying_power),
            is_restricted=means.status != "ACTIVE"
            or means.trading_blocked
            or means.account_blocked
            or means.trade_suspended_by_user,
        )

    return mapped("account", raw, build)


def map_clock(raw: Any) -> ClockData | RejectedRow:
    """Return the venue's clock."""

    def build() -> ClockData:
        clock = msgspec.convert(raw, _Clock)
        return ClockData(
            venue_at=in_utc(clock.timestamp),
            is_open=clock.is_open,
            next_open_at=in_utc(clock.next_open) if clock.next_open else None,
            next_close_at=in_utc(clock.next_close) if clock.next_close else None,
        )

    return mapped("clock", raw, build)
