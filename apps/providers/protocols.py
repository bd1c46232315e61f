"""What an adapter offers: one protocol per capability, and how it declares itself."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from django.utils.functional import Promise

from apps.providers.enums import Capability
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
    seconds: float
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSpec:
    """What an adapter declares about itself.

    `connect(credentials, connection_key)` returns the adapter bound to credentials that passed the schema;
    `connection_key` tells connections apart in limiter and breaker. `enrollment_of(credentials)` returns the
    provider's own id of the enrolment, or "" when only the provider could tell.
    """

    name: str
    title: str
    capabilities: frozenset[Capability]
    limits: tuple[Limit, ...]
    credentials: tuple[CredentialField, ...]
    connect: Callable[[Mapping[str, str], str], Any]
    enrollment_of: Callable[[Mapping[str, str]], str]
