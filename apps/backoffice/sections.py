"""What the pages of staff who look as a member show: the API's lists, and how their rows look."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy

from apps.core.admin import NOTHING, chip, exact, link, money, quantity
from apps.core.admin.display import TONES
from apps.core.admin.panels import Text
from apps.core.permissions import Permission

Row = Mapping[str, Any]
Cell = Callable[[Row], Text]


@dataclass(frozen=True, slots=True)
class Section:
    """A list of the API, and how its rows look. With `has_pages`, each row has an address of its own."""

    path: str
    title: Text
    icon: str
    permission: Permission
    columns: Sequence[tuple[Text, Cell]]
    numeric: frozenset[int] = frozenset()
    has_pages: bool = True
    can_search: bool = False


def _text(name: str) -> Cell:
    return lambda row: str(row[name]) if row[name] not in (None, "") else NOTHING


def _chip(name: str) -> Cell:
    return lambda row: chip(str(row[name]), TONES.get(str(row[name]), "idle"))


def _moment(name: str) -> Cell:
    return lambda row: exact(datetime.fromisoformat(row[name])) if row[name] else NOTHING


def _money(name: str, *, signed: bool = False) -> Cell:
    return lambda row: money(_decimal(row[name]), row.get("currency") or "", signed=signed)


def _quantity(name: str) -> Cell:
    return lambda row: quantity(_decimal(row[name]))


def _balance(name: str) -> Cell:
    return lambda row: money(_decimal((row["balance"] or {}).get(name)), row["currency"])


def _page(path: str, name: str) -> Cell:
    return lambda row: link(reverse("admin:as_member_one", args=[path, row["id"]]), row[name] or str(row["id"])[-8:])


def _decimal(value: str | None) -> Decimal | None:
    try:
        return None if value is None else Decimal(value)
    except InvalidOperation:
        return None


SECTIONS: Mapping[str, Section] = {
    section.path: section
    for section in (
        Section(
            "accounts",
            gettext_lazy("Accounts"),
            "account_balance_wallet",
            Permission.ACCOUNTS_READ,
            (
                (gettext_lazy("account"), _page("accounts", "name")),
                (gettext_lazy("institution"), _text("institution")),
                (gettext_lazy("kind"), _text("kind")),
                (gettext_lazy("status"), _chip("status")),
                (gettext_lazy("ours"), _balance("ours")),
                (gettext_lazy("provider's"), _balance("provider")),
                (gettext_lazy("drift"), _balance("drift")),
            ),
            numeric=frozenset({4, 5, 6}),
        ),
        Section(
            "transactions",
            gettext_lazy("Transactions"),
            "receipt_long",
            Permission.TRANSACTIONS_READ,
            (
                (gettext_lazy("date"), _text("date")),
                (gettext_lazy("description"), _page("transactions", "description")),
                (gettext_lazy("counterparty"), _text("counterparty")),
                (gettext_lazy("category"), _text("category")),
                (gettext_lazy("status"), _chip("status")),
                (gettext_lazy("amount"), _money("amount", signed=True)),
            ),
            numeric=frozenset({5}),
            can_search=True,
        ),
        Section(
            "positions",
            gettext_lazy("Positions"),
            "pie_chart",
            Permission.POSITIONS_READ,
            (
                (gettext_lazy("instrument"), _text("instrument")),
                (gettext_lazy("quantity"), _quantity("quantity")),
                (gettext_lazy("average price"), _quantity("average_price")),
                (gettext_lazy("market value"), _money("market_value")),
                (gettext_lazy("unrealised"), _money("unrealized_pnl", signed=True)),
                (gettext_lazy("realised"), _money("realized_pnl", signed=True)),
                (gettext_lazy("as of"), _moment("as_of")),
            ),
            numeric=frozenset({1, 2, 3, 4, 5}),
            has_pages=False,
        ),
        Section(
            "holdings",
            gettext_lazy("Holdings"),
            "inventory_2",
            Permission.ACCOUNTS_READ,
            (
                (gettext_lazy("symbol"), _text("symbol")),
                (gettext_lazy("instrument"), _text("instrument")),
                (gettext_lazy("quantity"), _quantity("quantity")),
                (gettext_lazy("as of"), _moment("as_of")),
            ),
            numeric=frozenset({2}),
            has_pages=False,
        ),
        Section(
            "connections",
            gettext_lazy("Connections"),
            "cable",
            Permission.CONNECTIONS_READ,
            (
                (gettext_lazy("connection"), _page("connections", "label")),
                (gettext_lazy("provider"), _text("provider")),
                (gettext_lazy("status"), _chip("status")),
                (gettext_lazy("last synced"), _moment("last_synced_at")),
                (gettext_lazy("next sync"), _moment("next_sync_at")),
            ),
        ),
        Section(
            "providers",
            gettext_lazy("Providers"),
            "hub",
            Permission.PROVIDERS_READ,
            (
                (gettext_lazy("provider"), _text("title")),
                (gettext_lazy("status"), _chip("status")),
                (gettext_lazy("health"), lambda row: chip(str(row["health"]["status"]))),
                (gettext_lazy("can do"), lambda row: ", ".join(row["capabilities"])),
            ),
            has_pages=False,
        ),
    )
}
OUT_OF_REACH = (
    gettext_lazy("Orders and fills"),
    gettext_lazy("Risk limits and decisions"),
    gettext_lazy("Kill switches"),
    gettext_lazy("API keys"),
    gettext_lazy("Members and invitations"),
    gettext_lazy("Second factors and sessions"),
    gettext_lazy("Webhooks"),
    gettext_lazy("Events and audit log"),
    gettext_lazy("Quotes, which are asked with the tenant's credentials"),
)
