"""What an adapter offers: one protocol per capability, and how it declares itself."""

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from django.utils.functional import Promise

from apps.providers.enums import Capability
from apps.providers.hooks import HookSpec
from apps.providers.trading import (
    AssetData,
    ClockData,
    FillData,
    HoldingData,
    MeansData,
    OrderRequest,
    QuoteData,
    StreamOpened,
    TradeUpdate,
    VenueOrder,
)
from apps.providers.types import AccountData, BalanceData, Page, RejectedRow


class BoundAdapter(Protocol):
    """An adapter bound to one connection's credentials. It holds sockets: use it in a `with` block.

    Every method does HTTP: never call one inside a transaction.

    Raises (every method): ProviderError.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def close(self) -> None:
        """Close the sockets."""


class BankingAdapter(BoundAdapter, Protocol):
    """Reads accounts, balances and transactions."""

    def accounts(self) -> list[AccountData | RejectedRow]:
        """Return every account that the enrolment grants."""

    def balance(self, external_id: str) -> BalanceData | RejectedRow:
        """Return an account's balance."""

    def transactions(self, external_id: str, *, since: date | None) -> Iterator[Page]:
        """Yield an account's transactions, newest first, back to `since` inclusive (None: the full history).

        The iterator reads the provider page by page; a failure raises between pages. Every row dated `since`
        or later is among the pages once the iterator has ended without raising.
        """


class HoldingsAdapter(BankingAdapter, Protocol):
    """Reads accounts that hold instruments beside money."""

    def holdings(self, external_id: str) -> list[HoldingData | RejectedRow]:
        """Return what the account holds now."""


class BrokerageAdapter(BoundAdapter, Protocol):
    """Trades one account.

    An error of `place_order` or `replace_order` says what is known of the order: RETRYABLE and THROTTLED, it was
    provably not carried out; PERMANENT and AUTH, the venue refused it; UNKNOWN_OUTCOME, ask with `find_order`.
    """

    def means(self) -> MeansData:
        """Return the account's means."""

    def clock(self) -> ClockData:
        """Return the venue's clock."""

    def assets(self) -> Iterator[AssetData | RejectedRow]:
        """Yield every instrument that the venue lists, active or not."""

    def place_order(self, order: OrderRequest) -> VenueOrder:
        """Place an order, once: it is not repeated unless it provably was not sent."""

    def replace_order(self, venue_order_id: str, order: OrderRequest) -> VenueOrder:
        """Replace an open order by `order`; return the new one. Side, symbol and type stay what they were."""

    def cancel_order(self, venue_order_id: str) -> None:
        """Ask the venue to cancel an order; PERMANENT when it can no longer be canceled."""

    def find_order(self, client_order_id: str) -> VenueOrder | None:
        """Return the order that the venue knows by our id, or None when it says that there is none."""

    def get_order(self, venue_order_id: str) -> VenueOrder | None:
        """Return an order by the venue's id, or None when the venue says that there is none."""

    def open_orders(self) -> Iterator[VenueOrder]:
        """Yield every order that is open at the venue."""

    def fills(self, *, since: datetime) -> Iterator[FillData | RejectedRow]:
        """Yield the account's executions from `since` on, oldest first; a few earlier ones may be among them."""

    def positions(self) -> list[HoldingData | RejectedRow]:
        """Return what the account holds now."""


class MarketDataAdapter(BoundAdapter, Protocol):
    """Reads market data."""

    def latest_quotes(self, symbols: Sequence[str]) -> dict[str, QuoteData]:
        """Return the latest quote by the venue's symbol; a symbol without a usable quote is absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialField:
    """One value that a connection needs. `secret` values never come back out of the API."""

    name: str
    title: str | Promise
    secret: bool = True
    required: bool = True
    max_length: int = 512
    pattern: str = r"[\x21-\x7e]+"  # visible ASCII: what an HTTP header can carry


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A request limit as the venue meters it: `requests` per `seconds`, `burst` at once.

    Scope `application` is shared by every connection of this installation, `connection` is one enrolment's.
    """

    scope: Literal["application", "connection"]
    requests: int
    seconds: int
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSpec:
    """What an adapter declares about itself.

    `connect(credentials, connection_key)` returns the adapter bound to credentials that passed the schema;
    `connection_key` tells connections apart in limiter and breaker. `enrollment_of(credentials)` returns the
    provider's own id of the enrolment, or "" when only the provider could tell. `stream(credentials)` yields what
    happens to the account's orders until the connection breaks, which raises ProviderError. `hosts` names the hosts
    that have breakers of their own. `hook` judges and reads the provider's webhooks.
    """

    name: str
    title: str
    capabilities: frozenset[Capability]
    limits: tuple[Limit, ...]
    credentials: tuple[CredentialField, ...]
    connect: Callable[[Mapping[str, str], str], Any]
    enrollment_of: Callable[[Mapping[str, str]], str]
    hosts: tuple[str, ...] = ("",)
    stream: Callable[[Mapping[str, str]], AsyncGenerator[StreamOpened | TradeUpdate, None]] | None = None
    hook: HookSpec | None = None
