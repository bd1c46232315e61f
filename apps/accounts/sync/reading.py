"""Reads a connection's accounts from the provider. HTTP happens here and nowhere else in this room."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from apps.accounts.errors import ReadingUnstable
from apps.accounts.types import AccountReading, ConnectionReading, HoldingsReading, SyncPlan, Window
from apps.providers.errors import ProviderError
from apps.providers.protocols import BankingAdapter, HoldingsAdapter
from apps.providers.types import AccountData, BalanceData, RejectedRow, TransactionData

READ_TRIES = 4
GONE = 410
NOT_FOUND = 404

Clock = Callable[[], datetime]


def read_connection(
    adapter: BankingAdapter, plan: SyncPlan, *, clock: Clock, holder: HoldingsAdapter | None = None
) -> ConnectionReading:
    """Read every account, each as of one moment; its holdings, too, where `holder` reads them.

    An account that is closed or out of reach is a state of that account. Any other failure is the whole run's, so that
    nothing of it is applied and the retry starts from what we hold.

    Raises:
        ProviderError: the provider could not be read.
        ReadingUnstable: an account kept changing while it was read.
    """
    listed = adapter.accounts()
    rejected = [row for row in listed if isinstance(row, RejectedRow)]
    accounts = {row.external_id: row for row in listed if isinstance(row, AccountData)}
    readings = []
    for data in accounts.values():
        reading, refused = _read_account(adapter, holder, data, plan.get(data.external_id), clock)
        readings.append(reading)
        rejected += refused
    refused_accounts = frozenset(row.external_id for row in rejected if row.entity == "account")
    return ConnectionReading(
        accounts=tuple(readings),
        rejected=tuple(rejected),
        refused_accounts=refused_accounts - {""},
        lists_all="" not in refused_accounts,
    )


def _read_account(
    adapter: BankingAdapter, holder: HoldingsAdapter | None, data: AccountData, window: Window | None, clock: Clock
) -> tuple[AccountReading, list[RejectedRow]]:
    if data.status == "closed":
        return AccountReading(data=data, is_closed=True), []
    try:
        return _read_steadily(adapter, holder, data, window, clock)
    except ProviderError as error:
        if error.status == GONE:
            return AccountReading(data=data, is_closed=True), []
        if error.status == NOT_FOUND and not _is_about_the_enrolment(error):
            return AccountReading(data=data, is_out_of_reach=True), []
        raise


def _is_about_the_enrolment(error: ProviderError) -> bool:
    return error.as_failure().needs_attention


@dataclass(slots=True)
class _Rows:
    """The rows of one pass over the pages. Later copies of a row win: they were read later."""

    found: dict[str, TransactionData] = field(default_factory=dict)
    rejected: list[RejectedRow] = field(default_factory=list)
    pages: int = 0

    def shown(self) -> set[str]:
        """Return every id that the provider showed, mapped or not."""
        return {*self.found, *(row.external_id for row in self.rejected)}


def _read_steadily(
    adapter: BankingAdapter, holder: HoldingsAdapter | None, data: AccountData, window: Window | None, clock: Clock
) -> tuple[AccountReading, list[RejectedRow]]:
    for _attempt in range(READ_TRIES):
        as_of = clock()
        balance = adapter.balance(data.external_id)
        since = window.since if window and not window.must_read_all else None
        rows = _read_rows(adapter, data.external_id, since)
        if since and window and not _is_explained(window, rows, balance):
            since = None
            rows = _read_rows(adapter, data.external_id, since)
        holdings, unmapped = _read_holdings(holder, data.external_id, as_of) if holder else (None, [])
        is_of_one_moment = holdings is None and _is_of_one_moment(rows, window)
        if is_of_one_moment or adapter.balance(data.external_id) == balance:
            reading, refused = _reading(data, balance, as_of, rows, since)
            reading = replace(reading, reach=since or _reach(window, rows), holdings=holdings)
            return reading, [*refused, *unmapped]
    raise ReadingUnstable(f"account {data.external_id} changed during each of {READ_TRIES} readings")


def _read_holdings(
    holder: HoldingsAdapter, external_id: str, as_of: datetime
) -> tuple[HoldingsReading, list[RejectedRow]]:
    rows = holder.holdings(external_id)
    unmapped = [row for row in rows if isinstance(row, RejectedRow)]
    found = {row.external_id: row for row in rows if not isinstance(row, RejectedRow)}
    refused = frozenset(row.external_id for row in unmapped)
    reading = HoldingsReading(found=found, as_of=as_of, refused=refused - {""}, is_complete="" not in refused)
    return reading, unmapped


def _is_explained(window: Window, rows: _Rows, balance: BalanceData | RejectedRow) -> bool:
    """Tell whether a window is all that has to be read.

    It is not when a posted row of ours is missing: that is rare, and believed of the whole history only. And not when
    the rows leave another drift than the one that outlived the last full reading: something changed before the window.
    """
    if not window.posted.keys() <= rows.shown():
        return False
    if isinstance(balance, RejectedRow) or balance.current is None or window.older_total is None:
        return True
    posted = {row.external_id: row.amount for row in rows.found.values() if row.status == "posted"}
    refused = {key: window.posted[key] for key in window.posted.keys() - rows.found.keys()}
    drift = balance.current - window.older_total - sum(posted.values()) - sum(refused.values())
    return drift in (0, window.drift)


def _reach(window: Window | None, rows: _Rows) -> date | None:
    """Return how far back a history goes that was read to its end: to its oldest row, and as far as any window."""
    days = [row.date for row in rows.found.values()]
    return min([*days, window.since] if window and window.since else days, default=None)


def _is_of_one_moment(rows: _Rows, window: Window | None) -> bool:
    """Tell whether no change could slip in: a single page, of an account whose opening balance is not being fixed.

    Otherwise a row may have moved up, past the page being read, as a pending row does when it posts; and the balance
    may not belong to the rows. Both show as a changed balance.
    """
    return rows.pages <= 1 and window is not None


def _read_rows(adapter: BankingAdapter, external_id: str, since: date | None) -> _Rows:
    rows = _Rows()
    for row in _each(adapter, external_id, since, rows):
        if isinstance(row, RejectedRow):
            rows.rejected.append(row)
        else:
            rows.found[row.external_id] = row
    return rows


def _each(
    adapter: BankingAdapter, external_id: str, since: date | None, rows: _Rows
) -> Iterator[TransactionData | RejectedRow]:
    for page in adapter.transactions(external_id, since=since):
        rows.pages += 1
        yield from page.rows


def _reading(
    data: AccountData, balance: BalanceData | RejectedRow, as_of: datetime, rows: _Rows, since: date | None
) -> tuple[AccountReading, list[RejectedRow]]:
    refused = frozenset(row.external_id for row in rows.rejected) - rows.found.keys()
    reading = AccountReading(
        data=data, rows=rows.found, since=since, refused=refused - {""}, is_complete="" not in refused
    )
    if isinstance(balance, RejectedRow):
        return reading, [balance, *rows.rejected]
    return replace(reading, balance=balance, balance_as_of=as_of), rows.rejected
