"""Whether an order's own parameters make sense, alone and for its instrument at its venue: one error per field.

The rules by asset class are Alpaca's (docs.alpaca.markets, "Orders at Alpaca"), the only venue so far.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from apps.orders.enums import OrderType, TimeInForce
from apps.orders.rules.units import DIGITS

CRYPTO = "crypto"

_ONE_DOLLAR, _CENT, _HUNDREDTH_OF_A_CENT = Decimal(1), Decimal("0.01"), Decimal("0.0001")
_LARGEST = Decimal(10) ** 18  # leaves NUMERIC(38,18) room for products
_WITH_LIMIT = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_WITH_STOP = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
_CRYPTO_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT})
_CRYPTO_TIMES = frozenset({TimeInForce.GTC, TimeInForce.IOC})
_ONE_PRICE: Mapping[str, frozenset[OrderType]] = {"limit_price": _WITH_LIMIT, "stop_price": _WITH_STOP}


class ListingRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue says of an instrument; None: it states no rule."""

    asset_class: str  # equity | crypto
    minimum_quantity: Decimal | None = None
    quantity_increment: Decimal | None = None
    price_increment: Decimal | None = None


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """An order's parameters as the client gave them."""

    type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


class ParameterError(NamedTuple):
    """What is wrong with one field."""

    field: str
    code: str
    message: str


def parameter_errors(parameters: Parameters, listing: ListingRules) -> list[ParameterError]:
    """Return what is wrong, at most one error per field, in the order of the fields."""
    found = (
        _type_error(parameters, listing),
        _quantity_error(parameters, listing),
        *_price_errors(parameters, listing),
        _time_error(parameters, listing),
    )
    return [error for error in found if error is not None]


def _type_error(parameters: Parameters, listing: ListingRules) -> ParameterError | None:
    if listing.asset_class == CRYPTO and parameters.type not in _CRYPTO_TYPES:
        return ParameterError("type", "not_allowed", f"An order of type {parameters.type} is not possible for crypto.")
    return None


def _quantity_error(parameters: Parameters, listing: ListingRules) -> ParameterError | None:
    quantity, least = parameters.quantity, listing.minimum_quantity
    problem = _number_problem(quantity)
    if problem:
        return ParameterError("quantity", *problem)
    if least is not None and quantity < least:
        return ParameterError("quantity", "below_minimum", f"The smallest quantity is {_plain(least)}.")
    return _off_increment("quantity", quantity, listing.quantity_increment)


def _price_errors(parameters: Parameters, listing: ListingRules) -> Iterator[ParameterError | None]:
    for field, types in _ONE_PRICE.items():
        price: Decimal | None = getattr(parameters, field)
        if price is None:
            message = f"An order of type {parameters.type} needs it."
            yield ParameterError(field, "required", message) if parameters.type in types else None
        elif parameters.type not in types:
            yield ParameterError(field, "not_allowed", f"An order of type {parameters.type} has none.")
        else:
            yield _price_error(field, price, listing)


def _price_error(field: str, price: Decimal, listing: ListingRules) -> ParameterError | None:
    problem = _number_problem(price)
    if problem:
        return ParameterError(field, *problem)
    # A venue may state the finest step that it ever takes, which the law makes coarser from a dollar on.
    steps = (listing.price_increment, _least_price_step(price, listing))
    return next(filter(None, (_off_increment(field, price, step) for step in steps)), None)


def _least_price_step(price: Decimal, listing: ListingRules) -> Decimal | None:
    """Return the step of a US stock's price (17 CFR 242.612): a cent, below a dollar a hundredth of one."""
    if listing.asset_class == CRYPTO:
        return None
    return _CENT if price >= _ONE_DOLLAR else _HUNDREDTH_OF_A_CENT


def _time_error(parameters: Parameters, listing: ListingRules) -> ParameterError | None:
    time, quantity = parameters.time_in_force, parameters.quantity
    if listing.asset_class == CRYPTO:
        if time not in _CRYPTO_TIMES:
            return ParameterError("time_in_force", "not_allowed", "For crypto it is gtc or ioc.")
        return None
    if time != TimeInForce.DAY and not _number_problem(quantity) and quantity % 1:
        return ParameterError("time_in_force", "not_allowed", "For a part of a share it is day.")
    return None


def _number_problem(value: Decimal) -> tuple[str, str] | None:
    """Return what no price and no quantity may be, as code and message."""
    if not value.is_finite() or value <= 0:
        return "not_positive", "It must be greater than 0."
    if value >= _LARGEST:
        return "too_large", f"It must be less than {_plain(_LARGEST)}."
    if value != round(value, DIGITS):
        return "too_precise", f"It has at most {DIGITS} decimal places."
    return None


def _off_increment(field: str, value: Decimal, increment: Decimal | None) -> ParameterError | None:
    if not increment or not value % increment:
        return None
    return ParameterError(field, "off_increment", f"It must be a multiple of {_plain(increment)}.")


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
