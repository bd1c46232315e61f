"""List the assets that the twin trades, with what makes each one special to a client."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sandbox.providers.alpaca.wire import text, wire_uuid

EQUITY = "us_equity"
CRYPTO = "crypto"
# The two ids that Alpaca's own documentation shows; the others follow from the symbol.
KNOWN_IDS = {"AAPL": "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415", "BTC/USD": "276e2673-764b-4ab6-a611-caf665ca6340"}
CENT = Decimal("0.01")
NINE_PLACES = Decimal("0.000000001")


@dataclass(frozen=True, slots=True)
class Asset:
    """Describe one asset; `price` is where its price process started, in USD."""

    symbol: str
    name: str
    exchange: str
    price: Decimal
    asset_class: str = EQUITY
    active: bool = True
    tradable: bool = True
    shortable: bool = True
    fractionable: bool = True
    tick: Decimal = CENT
    least_qty: Decimal = NINE_PLACES

    @property
    def id(self) -> str:
        """Return the asset's id, the same in every sandbox."""
        return KNOWN_IDS.get(self.symbol) or wire_uuid("asset", self.symbol)

    @property
    def is_crypto(self) -> bool:
        """Tell whether it trades around the clock, unmargined and never short."""
        return self.asset_class == CRYPTO

    def as_json(self) -> dict[str, Any]:
        """Return the asset as `GET /v2/assets` shows it."""
        shown: dict[str, Any] = {
            "id": self.id,
            "class": self.asset_class,
            "exchange": self.exchange,
            "symbol": self.symbol,
            "name": self.name,
            "status": "active" if self.active else "inactive",
            "tradable": self.tradable,
            "marginable": self.tradable and not self.is_crypto,
            "maintenance_margin_requirement": 100 if self.is_crypto else 30,
            "shortable": self.shortable,
            "easy_to_borrow": self.shortable,
            "fractionable": self.fractionable,
            "attributes": [],
        }
        if self.is_crypto:
            shown |= {
                "min_order_size": text(self.least_qty),
                "min_trade_increment": text(NINE_PLACES),
                "price_increment": text(self.tick),
            }
        return shown


def _equity(symbol: str, name: str, exchange: str, price: str, **flags: bool) -> Asset:
    return replace(Asset(symbol, name, exchange, Decimal(price)), **flags)  # type: ignore[arg-type]


def _crypto(symbol: str, name: str, price: str, tick: str, least: str) -> Asset:
    return Asset(
        symbol,
        name,
        "CRYPTO",
        Decimal(price),
        asset_class=CRYPTO,
        shortable=False,
        tick=Decimal(tick),
        least_qty=Decimal(least),
    )


_ALL = (
    _equity("AAPL", "Apple Inc. Common Stock", "NASDAQ", "212.40"),
    _equity("MSFT", "Microsoft Corporation Common Stock", "NASDAQ", "438.10"),
    _equity("NVDA", "NVIDIA Corporation Common Stock", "NASDAQ", "131.25"),
    _equity("AMZN", "Amazon.com, Inc. Common Stock", "NASDAQ", "203.60"),
    _equity("GOOGL", "Alphabet Inc. Class A Common Stock", "NASDAQ", "176.80"),
    _equity("META", "Meta Platforms, Inc. Class A Common Stock", "NASDAQ", "585.30"),
    _equity("TSLA", "Tesla, Inc. Common Stock", "NASDAQ", "262.90"),
    _equity("AMD", "Advanced Micro Devices, Inc. Common Stock", "NASDAQ", "138.70"),
    _equity("INTC", "Intel Corporation Common Stock", "NASDAQ", "24.15"),
    _equity("CSCO", "Cisco Systems, Inc. Common Stock", "NASDAQ", "58.20"),
    _equity("SBUX", "Starbucks Corporation Common Stock", "NASDAQ", "97.45"),
    _equity("JPM", "JPMorgan Chase & Co. Common Stock", "NYSE", "241.50"),
    _equity("BAC", "Bank of America Corporation Common Stock", "NYSE", "45.30"),
    _equity("KO", "Coca-Cola Company Common Stock", "NYSE", "63.70"),
    _equity("DIS", "Walt Disney Company Common Stock", "NYSE", "112.20"),
    _equity("F", "Ford Motor Company Common Stock", "NYSE", "10.85"),
    _equity("GE", "GE Aerospace Common Stock", "NYSE", "184.60"),
    _equity("XOM", "Exxon Mobil Corporation Common Stock", "NYSE", "119.40"),
    _equity("WMT", "Walmart Inc. Common Stock", "NYSE", "88.90"),
    _equity("BRK.B", "Berkshire Hathaway Inc. Class B", "NYSE", "468.20"),
    _equity("SPY", "SPDR S&P 500 ETF Trust", "ARCA", "596.40"),
    _equity("GLD", "SPDR Gold Trust", "ARCA", "247.10"),
    _equity("TLT", "iShares 20+ Year Treasury Bond ETF", "NASDAQ", "90.80"),
    _equity("CBOE", "Cboe Global Markets, Inc. Common Stock", "BATS", "207.30"),
    _equity("UTG", "Reaves Utility Income Fund", "AMEX", "32.60"),
    # Each of the rest is refused for something.
    _equity("HTB", "Hard To Borrow Holdings Common Stock", "NASDAQ", "18.40", shortable=False),
    _equity("WHOLE", "Whole Shares Only Trust", "NYSE", "74.10", fractionable=False),
    _equity("PENNY", "Penny Mining Corporation Common Stock", "AMEX", "0.84", fractionable=False, shortable=False),
    _equity("NOTR", "Not Tradable Incorporated", "NYSE", "52.30", tradable=False, shortable=False, fractionable=False),
    _equity("PINKY", "Pink Sheet Industries", "OTC", "3.25", tradable=False, shortable=False, fractionable=False),
    _equity(
        "DEAD",
        "Delisted Corporation Common Stock",
        "NYSE",
        "7.70",
        active=False,
        tradable=False,
        shortable=False,
        fractionable=False,
    ),
    _crypto("BTC/USD", "Bitcoin / US Dollar", "94250.00", "0.01", "0.0001"),
    _crypto("ETH/USD", "Ethereum / US Dollar", "3310.50", "0.01", "0.001"),
    _crypto("SOL/USD", "Solana / US Dollar", "238.40", "0.01", "0.01"),
)
ASSETS: dict[str, Asset] = {asset.symbol: asset for asset in _ALL}
_BY_OTHER_NAME = {asset.id: asset for asset in _ALL} | {asset.symbol.replace("/", ""): asset for asset in _ALL}


def find_asset(name: str) -> Asset | None:
    """Return an asset by symbol (a pair with or without its slash) or id."""
    return ASSETS.get(name) or _BY_OTHER_NAME.get(name)
