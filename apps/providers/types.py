"""What crosses the edge of a provider, in our own terms: no provider's names, signs or formats."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from apps.jobs.types import JobKind
from apps.providers.errors import SyncFailure

__all__ = [
    "PROCESS_HOOK",
    "SYNC_CONNECTION",
    "AccountData",
    "AccountKind",
    "AccountMode",
    "BalanceData",
    "Page",
    "ReceivedHook",
    "RejectedRow",
    "RowKind",
    "SyncCounts",
    "SyncFailure",
    "TransactionData",
    "TransactionStatus",
]

# The payload is {"connection_id", "run_id"}; apps.accounts.tasks carries it out. A bank that is away for a
# minute is no news: eight attempts with this backoff take about ten minutes.
# The first sync of a connection reads years.
SYNC_CONNECTION = JobKind(
    "connection.sync",
    queue="sync",
    max_attempts=8,
    backoff_seconds=10,
    backoff_max_seconds=900,
    soft_seconds=3600,
    hard_seconds=4500,
)

# The payload is {"hook_id"}; it waits for a sync that is under way, for about two hours.
PROCESS_HOOK = JobKind("connection.hook", queue="default", max_attempts=18)

AccountKind = Literal["depository", "credit", "loan", "investment", "brokerage"]
AccountMode = Literal["live", "paper"]
RowKind = Literal["account", "balance", "transaction", "asset", "holding", "fill", "order", "quote", "clock"]
TransactionStatus = Literal["pending", "posted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedHook:
    """A webhook as it came, from whomever: `headers` are found in any case of letters."""

    headers: Mapping[str, str]
    body: bytes
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountData:
    """An external account. In a `paper` one nothing is real: no money, no orders."""

    external_id: str
    name: str
    kind: AccountKind
    subtype: str
    currency: str  # ISO 4217
    status: Literal["open", "closed"]
    last_four: str = ""
    institution_name: str = ""
    mode: AccountMode = "live"


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceData:
    """An account's balance in our sign: what is owed is negative.

    `current` counts posted transactions, `available` pending ones too; None where the provider does not say.
    """

    external_id: str
    currency: str
    current: Decimal | None
    available: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionData:
    """One transaction in our sign: `amount` < 0 is money out, whatever the provider's sign.

    `replaces` is the external id of the pending transaction that this one posts, where the provider says so.
    """

    external_id: str
    amount: Decimal
    currency: str
    date: date
    status: TransactionStatus
    description: str
    counterparty: str = ""
    category: str = ""
    replaces: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """A row that does not map: kept for people to see, never dropped silently.

    `excerpt` is the row as it came, redacted and bounded. `external_id` is "" where the row has none.
    """

    entity: RowKind
    external_id: str
    reason: str
    excerpt: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list, newest first. Pages may overlap; rows of one page may repeat."""

    rows: tuple[TransactionData | RejectedRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncCounts:
    """What a sync run did to our rows; `quarantined` counts refused rows of the provider."""

    added: int = 0
    modified: int = 0
    removed: int = 0
    unchanged: int = 0
    quarantined: int = 0
