"""Two brokers that live in this process: what they list, quote and say of the time is up to the test.

They come in as plug-ins do, through an entry point (see `plugged_in`).
"""

import importlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from apps.core import clock
from apps.core.guard import assert_no_transaction
from apps.providers import registry
from apps.providers.enums import Capability, ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.protocols import AdapterSpec, CredentialField
from apps.providers.trading import AssetData, ClockData, HoldingData, QuoteData
from apps.providers.types import AccountData, BalanceData, Page, RejectedRow, TransactionData


@dataclass
class Venue:
    """A broker with one account. `failure` is raised by every call, or by those with `refused_key`; `seconds` is how
    long each takes.
    """

    name: str
    assets: list[AssetData | RejectedRow] = field(default_factory=list)
    quotes: dict[str, QuoteData] = field(default_factory=dict)
    clock: ClockData | None = None
    account: AccountData | None = None
    cash: Decimal = Decimal(0)
    transactions: list[TransactionData | RejectedRow] = field(default_factory=list)
    holdings: list[HoldingData | RejectedRow] = field(default_factory=list)
    failure: ProviderError | None = None
    refused_key: str = ""
    seconds: float = 0.0
    calls: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def quote(self, symbol: str, bid: str | None, ask: str | None, *, venue_at: datetime | None = None) -> QuoteData:
        """Show a quote from now on."""
        self.quotes[symbol] = QuoteData(
            symbol=symbol,
            bid=None if bid is None else Decimal(bid),
            ask=None if ask is None else Decimal(ask),
            bid_size=Decimal(3),
            ask_size=Decimal(5),
            venue_at=venue_at or clock.now(),
        )
        return self.quotes[symbol]

    def fail(
        self, code: str = "away", category: ErrorCategory = ErrorCategory.RETRYABLE, *, refused_key: str = ""
    ) -> None:
        """Answer nothing but this error from now on, to whoever calls with this key or to everybody."""
        self.refused_key = refused_key
        self.failure = ProviderError(
            provider=self.name, operation="any", category=category, code=code, message="The venue is away."
        )

    def called(self, name: str, key: str) -> None:
        """Note a call, take the time it takes, and fail when told to."""
        assert_no_transaction()
        with self._lock:
            self.calls.append(name)
        time.sleep(self.seconds)
        if self.failure and self.refused_key in ("", key):
            raise self.failure


class VenueAdapter:
    """The adapter: every protocol that this room and the accounts ask for."""

    def __init__(self, venue: Venue, key: str) -> None:
        self._venue, self._key = venue, key

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None: ...

    def clock(self) -> ClockData:
        self._venue.called("clock", self._key)
        assert self._venue.clock is not None
        return self._venue.clock

    def assets(self) -> Iterator[AssetData | RejectedRow]:
        self._venue.called("assets", self._key)
        yield from self._venue.assets

    def latest_quotes(self, symbols: Sequence[str]) -> dict[str, QuoteData]:
        self._venue.called("quotes " + ",".join(sorted(symbols)), self._key)
        return {symbol: self._venue.quotes[symbol] for symbol in symbols if symbol in self._venue.quotes}

    def accounts(self) -> list[AccountData | RejectedRow]:
        self._venue.called("accounts", self._key)
        return [self._venue.account] if self._venue.account else []

    def balance(self, external_id: str) -> BalanceData | RejectedRow:
        self._venue.called("balance", self._key)
        return BalanceData(external_id=external_id, currency="USD", current=self._venue.cash, available=None)

    def transactions(self, external_id: str, *, since: Any) -> Iterator[Page]:
        self._venue.called("transactions", self._key)
        yield Page(tuple(self._venue.transactions))

    def holdings(self, external_id: str) -> list[HoldingData | RejectedRow]:
        self._venue.called("holdings", self._key)
        return list(self._venue.holdings)


FIRST, SECOND = Venue("venue_one"), Venue("venue_two")


def reset() -> None:
    """Empty both venues."""
    for venue in (FIRST, SECOND):
        vars(venue).update(vars(Venue(venue.name)))


def _spec(venue: Venue) -> AdapterSpec:
    def connect(credentials: Mapping[str, str], _key: str) -> VenueAdapter:
        return VenueAdapter(venue, credentials["key"])

    return AdapterSpec(
        name=venue.name,
        title=venue.name,
        capabilities=frozenset({Capability.BROKERAGE, Capability.MARKET_DATA}),
        limits=(),
        credentials=(CredentialField(name="key", title="Key"),),
        connect=connect,
        enrollment_of=lambda _credentials: "",
    )


ONE, TWO = _spec(FIRST), _spec(SECOND)
_ENTRY_POINTS = "[finops.providers]\nvenue_one = tests.factories.venue:ONE\nvenue_two = tests.factories.venue:TWO\n"


@contextmanager
def plugged_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install both venues, empty, as pip would, for as long as the block runs."""
    info = folder / "finops_venues-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: finops_venues\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(_ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    registry.registrations.cache_clear()
    reset()
    yield
    registry.registrations.cache_clear()
