"""Assets as instruments with canonical keys, and positions. Source: the OpenAPI schemas Assets and Position."""

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

from apps.providers.adapters.alpaca.mapping.values import Id, Symbol, mapped, number, number_or_none, text
from apps.providers.trading import AssetData, HoldingData
from apps.providers.types import RejectedRow

# Alpaca's names of exchanges, by their ISO 10383 market identifier codes.
EXCHANGES = {
    "AMEX": "XASE",
    "ARCA": "ARCX",
    "BATS": "BATS",
    "NASDAQ": "XNAS",
    "NYSE": "XNYS",
    "NYSEARCA": "ARCX",
    "OTC": "OTCM",
}
# The finest that Alpaca takes of any stock: 9 places of a fractionable one, 0.0001 below a dollar (0.01 above, which
# it refuses with 42210000).
SHARE_INCREMENT = Decimal("0.000000001")
WHOLE_SHARE = Decimal(1)
STOCK_PRICE_INCREMENT = Decimal("0.0001")

_Ticker = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9][A-Z0-9._-]{0,38}$")]
_Pair = Annotated[str, msgspec.Meta(pattern=r"^[A-Z0-9]{1,15}/[A-Z0-9]{1,12}$")]


class _Asset(msgspec.Struct, rename={"asset_class": "class"}):
    id: Id
    asset_class: Literal["us_equity", "crypto"]
    exchange: str
    symbol: str
    status: Literal["active", "inactive"]
    tradable: bool
    name: str | None = None
    shortable: bool = False
    easy_to_borrow: bool = False
    fractionable: bool = False
    min_order_size: Decimal | None = None
    min_trade_increment: Decimal | None = None
    price_increment: Decimal | None = None


class _Position(msgspec.Struct):
    asset_id: Id
    symbol: Symbol
    qty: Decimal
    side: Literal["long", "short"]
    avg_entry_price: Decimal
    market_value: Decimal | None = None
    cost_basis: Decimal | None = None
    current_price: Decimal | None = None


def map_asset(raw: Any) -> AssetData | RejectedRow:
    """Return an instrument as Alpaca lists it; one of an exchange that we have no code for is refused."""

    def build() -> AssetData:
        asset = msgspec.convert(raw, _Asset)
        return _coin(asset) if asset.asset_class == "crypto" else _stock(asset)

    return mapped("asset", raw, build)


def map_position(raw: Any) -> HoldingData | RejectedRow:
    """Return a position. Alpaca names crypto without the slash here (BTCUSD): go by the asset's id."""

    def build() -> HoldingData:
        row = msgspec.convert(raw, _Position)
        quantity = abs(number(row.qty))
        return HoldingData(
            symbol=row.symbol,
            external_id=row.asset_id,
            quantity=quantity if row.side == "long" else -quantity,
            average_price=number(row.avg_entry_price),
            market_price=number_or_none(row.current_price),
            market_value=number_or_none(row.market_value),
            cost_basis=number_or_none(row.cost_basis),
        )

    return mapped("holding", raw, build)


def _stock(asset: _Asset) -> AssetData:
    symbol = msgspec.convert(asset.symbol, _Ticker)
    if asset.exchange not in EXCHANGES:
        raise msgspec.ValidationError(f"The exchange {text(asset.exchange)[:40]!r} is not known.")
    return AssetData(
        external_id=asset.id,
        key=f"{EXCHANGES[asset.exchange]}:{symbol}",
        symbol=symbol,
        name=text(asset.name),
        asset_class="equity",
        currency="USD",
        tradable=_is_tradable(asset),
        # Alpaca opens shorts only in what is easy to borrow.
        shortable=asset.shortable and asset.easy_to_borrow,
        fractionable=asset.fractionable,
        minimum_quantity=number_or_none(asset.min_order_size),
        quantity_increment=SHARE_INCREMENT if asset.fractionable else WHOLE_SHARE,
        price_increment=STOCK_PRICE_INCREMENT,
    )


def _coin(asset: _Asset) -> AssetData:
    symbol = msgspec.convert(asset.symbol, _Pair)
    return AssetData(
        external_id=asset.id,
        key=f"CRYPTO:{symbol.replace('/', '-')}",
        symbol=symbol,
        name=text(asset.name),
        asset_class="crypto",
        currency=symbol.partition("/")[2],
        tradable=_is_tradable(asset),
        shortable=False,
        fractionable=asset.fractionable,
        minimum_quantity=number_or_none(asset.min_order_size),
        quantity_increment=number_or_none(asset.min_trade_increment),
        price_increment=number_or_none(asset.price_increment),
    )


def _is_tradable(asset: _Asset) -> bool:
    return asset.tradable and asset.status == "active"
