"""Read what a client asks for in an order, and refuse what Alpaca refuses before it looks at the account."""

import json
import re
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from aiohttp import web

from sandbox.providers.alpaca import wire
from sandbox.providers.alpaca.assets import Asset, find_asset
from sandbox.providers.alpaca.orders import BUY, SELL, Order, Terms
from sandbox.providers.base import Refused

TYPES = {
    "market": (False, False),
    "limit": (True, False),
    "stop": (False, True),
    "stop_limit": (True, True),
}
EQUITY_TIMES = ("day", "gtc", "ioc", "fok")
CRYPTO_TIMES = ("gtc", "ioc")
CRYPTO_TYPES = ("market", "limit", "stop_limit")
LONGEST_CLIENT_ID = 48
MOST_PLACES = 9
LARGEST = Decimal(10) ** 12
NUMBER = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?")
ONE_DOLLAR = Decimal(1)


def refuse(status: int, code: int, message: str, **extra: Any) -> NoReturn:
    """Answer with a refusal."""
    raise Refused(wire.error(status, code, message, **extra))


def invalid(message: str) -> NoReturn:
    """Refuse parameters that make no sense."""
    refuse(422, wire.INVALID, message)


def unprocessable(message: str) -> NoReturn:
    """Refuse parameters that make sense but are not allowed."""
    refuse(422, wire.UNPROCESSABLE, message)


async def body_of(request: web.Request) -> dict[str, Any]:
    """Return a request's JSON object; numbers keep the digits that were sent."""
    try:
        body = json.loads(await request.read() or b"{}", parse_float=Decimal)
    except (ValueError, InvalidOperation):
        raise Refused(wire.error(400)) from None
    if not isinstance(body, dict):
        raise Refused(wire.error(400))
    return body


def terms_of(body: dict[str, Any]) -> tuple[Terms, Asset]:
    """Return the terms that an order's body asks for, checked as far as the asset decides."""
    if not isinstance(body.get("symbol"), str) or not body["symbol"]:
        invalid("symbol is required")
    asset = find_asset(body["symbol"])
    if asset is None:
        unprocessable(f'asset "{body["symbol"]}" not found')
    if body.get("order_class") not in (None, "", "simple"):
        unprocessable("only simple orders are simulated")
    terms = Terms(
        symbol=asset.symbol,
        side=_choice(body, "side", (BUY, SELL)),
        type=_choice(body, "type", tuple(TYPES)),
        time_in_force=_choice(body, "time_in_force", (*EQUITY_TIMES, "opg", "cls")),
        qty=number_of(body, "qty"),
        notional=number_of(body, "notional"),
        limit=number_of(body, "limit_price"),
        stop=number_of(body, "stop_price"),
        extended_hours=body.get("extended_hours") is True,
    )
    check_terms(terms, asset)
    return terms, asset


def changed_terms(order: Order, body: dict[str, Any]) -> Terms:
    """Return the terms of the order that is to take another's place: the unfilled rest unless told otherwise."""
    old = order.terms
    qty = number_of(body, "qty")
    terms = Terms(
        symbol=old.symbol,
        side=old.side,
        type=old.type,
        time_in_force=_choice(body, "time_in_force", EQUITY_TIMES, default=old.time_in_force),
        qty=order.leaves if qty is None and old.qty is not None else qty,
        notional=old.notional,
        limit=number_of(body, "limit_price") or old.limit,
        stop=number_of(body, "stop_price") or old.stop,
        extended_hours=old.extended_hours,
    )
    if replace(terms, qty=old.qty if qty is None else qty) == old:
        unprocessable("order parameters are not changed")
    check_terms(terms, order.asset)
    return terms


def check_terms(terms: Terms, asset: Asset) -> None:
    """Refuse terms that contradict themselves or the asset."""
    _check_amount(terms, asset)
    _check_prices(terms, asset)
    if terms.time_in_force in ("opg", "cls"):
        unprocessable(f"{terms.time_in_force} orders are not simulated: this market has no auctions")
    if asset.is_crypto:
        if terms.time_in_force not in CRYPTO_TIMES:
            unprocessable("invalid crypto time_in_force")
        if terms.type not in CRYPTO_TYPES:
            unprocessable("invalid order type for crypto order")
    if terms.extended_hours and (terms.type, terms.time_in_force) != ("limit", "day"):
        unprocessable("extended hours order must be DAY limit orders")
    if not asset.active:
        unprocessable(f"asset {asset.symbol} is not active")
    if not asset.tradable:
        unprocessable(f"asset {asset.symbol} is not tradable")


def client_id_of(body: dict[str, Any]) -> str | None:
    """Return the client's id for the order, None when there is none."""
    value = body.get("client_order_id")
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        invalid("client_order_id must be a string")
    if len(value) > LONGEST_CLIENT_ID:
        invalid(f"client_order_id must be no more than {LONGEST_CLIENT_ID} characters")
    return value


def number_of(body: dict[str, Any], name: str) -> Decimal | None:
    """Return a positive number that was sent as a number or a string, None when it is absent."""
    value = body.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        invalid(f"{name} must be a number")
    if isinstance(value, str) and not NUMBER.fullmatch(value):
        invalid(f"{name} must be a number")
    number = Decimal(value)
    if not 0 < number < LARGEST:
        invalid(f"{name} must be > 0")
    return number


def _choice(body: dict[str, Any], name: str, choices: tuple[str, ...], *, default: str | None = None) -> str:
    value = body.get(name)
    if value in (None, ""):
        value = default
    if value is None:
        invalid(f"{name} is required")
    if value not in choices:
        invalid(f"invalid {name}")
    return str(value)


def _check_amount(terms: Terms, asset: Asset) -> None:
    if terms.qty is not None and terms.notional is not None:
        invalid("only one of qty or notional is accepted")
    amount = terms.notional if terms.qty is None else terms.qty
    if amount is None:
        invalid("qty or notional is required")
    if _places(amount) > (MOST_PLACES if terms.notional is None else 2):
        invalid("qty can have at most 9 decimal places, notional at most 2")
    if asset.is_crypto:
        if terms.qty is not None and terms.qty < asset.least_qty:
            refuse(403, wire.FORBIDDEN, f"minimal qty of order {wire.text(asset.least_qty)}")
        return
    if terms.notional is None and amount == amount.to_integral_value():
        return
    if not asset.fractionable:
        refuse(403, wire.FORBIDDEN, f'asset "{asset.symbol}" is not fractionable')
    if terms.time_in_force != "day":
        unprocessable("fractional orders must be DAY orders")
    if terms.notional is not None and terms.type != "market":
        unprocessable("notional orders must be market orders")


def _check_prices(terms: Terms, asset: Asset) -> None:
    for name, value, wanted in (
        ("limit", terms.limit, TYPES[terms.type][0]),
        ("stop", terms.stop, TYPES[terms.type][1]),
    ):
        if wanted and value is None:
            invalid(f"{terms.type} orders require a {name} price")
        if not wanted and value is not None:
            invalid(f"{terms.type} orders must not have a {name} price")
        if value is not None and _places(value) > _places_allowed(value, asset):
            unprocessable(
                f"invalid {name}_price {wire.text(value)}. "
                "sub-penny increment does not fulfill minimum pricing criteria"
            )


def _places_allowed(price: Decimal, asset: Asset) -> int:
    return MOST_PLACES if asset.is_crypto else 2 if price >= ONE_DOLLAR else 4


def _places(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
