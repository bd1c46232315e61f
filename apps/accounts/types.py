"""What a sync carries from the provider to the tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from apps.providers.trading import HoldingData
from apps.providers.types import AccountData, BalanceData, RejectedRow, TransactionData


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How far back to read an account that was read before, and what the provider should then show.

    `since` is None while we hold no row; with `must_read_all` it is read past. `posted` are the amounts, by external
    id, of the posted rows that we hold from `since` on. `older_total` is the opening balance with all posted rows
    before `since`, and `drift` what the last sync could not explain of the balance; both are None without a balance.
    """

    since: date | None
    must_read_all: bool = False
    posted: Mapping[str, Decimal] = field(default_factory=dict)
    older_total: Decimal | None = None
    drift: Decimal | None = None


# By the account's external id. An account that is not in the plan was never read.
SyncPlan = Mapping[str, Window]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingsReading:
    """What an account holds beside money, by the provider's ids of the assets, as of one moment.

    `refused` are ids of holdings that do not map: they say nothing about ours. `is_complete` is False when a refused
    one had no id.
    """

    found: Mapping[str, HoldingData]
    as_of: datetime
    refused: frozenset[str] = frozenset()
    is_complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReading:
    """One account as the provider showed it.

    `rows` are its transactions from `since` on (None: all of them) by external id; None when they could not be read
    because the account is closed or out of reach. `reach` is the day from which on the provider certainly shows every
    row: a history that was read to its end may still begin later than ours. `refused` are ids of rows that the
    provider showed but that do not map: they say nothing about our row. `is_complete` is False when a refused row had
    no id, so that the absence of a row proves nothing. `holdings` is None where the provider offers none.
    """

    data: AccountData
    balance: BalanceData | None = None
    balance_as_of: datetime | None = None
    rows: Mapping[str, TransactionData] | None = None
    since: date | None = None
    reach: date | None = None
    refused: frozenset[str] = frozenset()
    is_complete: bool = True
    is_closed: bool = False
    is_out_of_reach: bool = False
    holdings: HoldingsReading | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionReading:
    """Everything that one sync read. `lists_all` is False when an account did not map and had no id."""

    accounts: tuple[AccountReading, ...]
    rejected: tuple[RejectedRow, ...] = ()
    refused_accounts: frozenset[str] = frozenset()
    lists_all: bool = True

    def is_mapped(self, entity: str, external_id: str) -> bool:
        """Tell whether it has an account, an account's balance, a transaction or a holding of this id."""
        if entity == "transaction":
            return any(external_id in reading.rows for reading in self.accounts if reading.rows)
        if entity == "holding":
            return any(external_id in reading.holdings.found for reading in self.accounts if reading.holdings)
        return any(
            reading.data.external_id == external_id and (entity == "account" or reading.balance is not None)
            for reading in self.accounts
        )
