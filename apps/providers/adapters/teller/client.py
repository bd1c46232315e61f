"""Reads one Teller enrolment. Source: https://teller.io/docs/api."""

from collections.abc import Iterator, Mapping
from datetime import date
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from django.conf import settings
from django.utils.translation import gettext as _

from apps.providers.adapters.teller.mapping import classify_error, map_account, map_balance, map_transaction
from apps.providers.enums import ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.protocols import Limit
from apps.providers.transport import CallPolicy, ProviderClient
from apps.providers.types import AccountData, BalanceData, Page, RejectedRow, TransactionData

API_VERSION = "2020-10-12"
# Teller documents no figures ("rarely hit in production"); this keeps one installation from being the exception.
LIMITS = (Limit(scope="application", requests=50, seconds=1, burst=100),)
# A sync that only looks for news reads a window of days; the first one reads years.
FIRST_PAGE_OF_NEWS = 200
PAGE = 1000
MOST_PAGES = 10_000


class TellerAdapter:
    """The banking adapter for one enrolment; see protocols.BankingAdapter."""

    def __init__(
        self, credentials: Mapping[str, str], connection_key: str, *, policy: CallPolicy | None = None
    ) -> None:
        certificate = (settings.TELLER_CERTIFICATE, settings.TELLER_PRIVATE_KEY)
        self._client = ProviderClient(
            provider="teller",
            base_url=f"{settings.SANDBOX_URL}/teller" if settings.SANDBOX_URL else "https://api.teller.io",
            connection_key=connection_key,
            limits=LIMITS,
            classify=classify_error,
            auth=(credentials["access_token"], ""),
            headers={"Teller-Version": API_VERSION},
            certificate=certificate if settings.TELLER_CERTIFICATE else None,
            policy=policy,
        )
        self._accounts: dict[str, AccountData] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the sockets."""
        self._client.close()

    def accounts(self) -> list[AccountData | RejectedRow]:
        """Return every account of the enrolment, each once."""
        mapped = [map_account(raw) for raw in _rows(self._client.get("accounts.list", "/accounts"), "accounts.list")]
        self._accounts = {account.external_id: account for account in mapped if isinstance(account, AccountData)}
        return [*self._accounts.values(), *[row for row in mapped if isinstance(row, RejectedRow)]]

    def balance(self, external_id: str) -> BalanceData | RejectedRow:
        """Return an account's balance."""
        account = self._account(external_id)
        return map_balance(self._client.get("balances.get", f"{_path(external_id)}/balances"), account)

    def transactions(self, external_id: str, *, since: date | None) -> Iterator[Page]:
        """Yield the account's transactions, newest first, back to `since`.

        Only an empty page, or a posted row before `since`, ends the history: a short page may as well mean that
        Teller caps `count`. Rows before `since` are left out.
        """
        account = self._account(external_id)
        cursors = [""]
        count = PAGE if since is None else FIRST_PAGE_OF_NEWS
        while raws := self._page(external_id, cursors[-1], count):
            rows = [map_transaction(raw, account) for raw in raws]
            yield Page(tuple(row for row in rows if since is None or not _is_before(row, since)))
            if since is not None and any(_is_before(row, since) and _is_posted(row) for row in rows):
                return
            if len(cursors) >= MOST_PAGES:
                raise _stalled(_("Teller's list of transactions does not end; the sync is tried again."))
            cursors.append(_next_cursor(raws, used=cursors))
            count = PAGE

    def _page(self, external_id: str, cursor: str, count: int) -> list[Any]:
        params: dict[str, str | int] = {"count": count} | ({"from_id": cursor} if cursor else {})
        try:
            answer = self._client.get("transactions.list", f"{_path(external_id)}/transactions", params=params)
        except ProviderError as error:
            if cursor and error.code == "not_found":
                # A pending row can vanish between two pages. From the first page on it is another list: try again.
                raise _stalled(
                    _("The list of transactions changed while it was read; the sync is tried again.")
                ) from error
            raise
        return _rows(answer, "transactions.list")

    def _account(self, external_id: str) -> AccountData:
        """Return an account's own description, which amounts cannot be read without: they carry no currency."""
        if external_id not in self._accounts:
            account = map_account(self._client.get("accounts.get", _path(external_id)))
            if isinstance(account, RejectedRow):
                raise _malformed("accounts.get")
            self._accounts[external_id] = account
        return self._accounts[external_id]


def _path(external_id: str) -> str:
    return f"/accounts/{quote(external_id, safe='')}"


def _rows(answer: Any, operation: str) -> list[Any]:
    if not isinstance(answer, list):
        raise _malformed(operation)
    return answer


def _id_of(raw: Any) -> str:
    identifier = raw.get("id") if isinstance(raw, dict) else None
    return identifier if isinstance(identifier, str) else ""


def _next_cursor(raws: list[Any], *, used: list[str]) -> str:
    """Return the id to page on from: the last posted row's, since a pending one may vanish meanwhile.

    Rows that stand below it come again on the next page; none is skipped, whatever their order.
    """
    named = [raw for raw in raws if _id_of(raw)]
    posted = [raw for raw in named if raw.get("status") == "posted"]
    for candidates in (posted, named):
        if candidates and _id_of(candidates[-1]) not in used:
            return _id_of(candidates[-1])
    raise _stalled(_("Teller repeats a page of transactions; the sync is tried again."))


def _is_before(row: TransactionData | RejectedRow, since: date) -> bool:
    return isinstance(row, TransactionData) and row.date < since


def _is_posted(row: TransactionData | RejectedRow) -> bool:
    return isinstance(row, TransactionData) and row.status == "posted"


def _malformed(operation: str) -> ProviderError:
    message = _("The provider's answer could not be read; the sync is tried again.")
    return _retryable(operation, "malformed_answer", message)


def _stalled(message: str) -> ProviderError:
    return _retryable("transactions.list", "list_changed", message)


def _retryable(operation: str, code: str, message: str) -> ProviderError:
    return ProviderError(
        provider="teller", operation=operation, category=ErrorCategory.RETRYABLE, code=code, message=message
    )
