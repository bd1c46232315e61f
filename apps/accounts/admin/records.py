"""Accounts and transactions, as staff see them; and a connection's accounts on its page."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.enums import AccountStatus
from apps.accounts.models import Account, Transaction
from apps.core import clock
from apps.core.admin import (
    Notice,
    Panel,
    StaffModelAdmin,
    Stat,
    Table,
    TenantFilter,
    about_url,
    chip,
    column,
    contributes_panels,
    link,
    moment,
    money,
    one_of,
    record_url,
    status_chip,
    two_lines,
)
from apps.providers.models import Connection

_LATEST = 12
_ACCOUNTS = 50


def drift_chip(account: Account) -> str:
    """Return the drift: the provider's balance minus ours."""
    if account.drift is None:
        return chip(_("not told"), "idle")
    return chip(_("none"), "ok") if account.drift == 0 else chip(money(account.drift, account.currency), "warn")


def _sort(account: Account) -> str:
    """Return the kind of an account as its provider calls it, in words."""
    return account.subtype.replace("_", " ") or account.get_kind_display()


@contributes_panels(Connection)
def accounts_of_connection(_request: HttpRequest, connection: Connection) -> Sequence[Panel]:
    """Show a connection's accounts with both balances."""
    rows = [
        [
            link(record_url("accounts.account", account.pk), str(account)),
            _sort(account),
            status_chip(account),
            money(account.our_balance, account.currency),
            money(account.provider_balance, account.currency),
            drift_chip(account),
        ]
        for account in Account.objects.filter(tenant_id=connection.tenant_id, connection=connection).order_by("id")[
            :_ACCOUNTS
        ]
    ]
    headers = [_("account"), _("kind"), _("status"), _("our balance"), _("provider's"), _("drift")]
    empty = _("No account yet: the first successful sync brings them.")
    return [Table(_("Accounts"), headers, rows, empty, numeric=frozenset({3, 4, 5}))]


def _closed(account: Account) -> Notice:
    title, left = _("This account is closed"), _("Balances and holdings are those that it had last.")
    if account.connection.deleted_at is None:
        return Notice(title, _("The provider says so."), left, "idle")
    return Notice(title, _("The connection that it was read through was deleted."), left, "idle")


@admin.register(Account)
class AccountAdmin(StaffModelAdmin):
    list_display = ("account", "tenant", "of_connection", "sort", "state", "ours", "theirs", "drift_value", "as_of")
    list_filter = (TenantFilter, "status", "kind", "currency")
    list_select_related = ("connection",)
    search_fields = ("name", "external_id", "institution")
    search_ids = ("id", "connection_id")
    empty_hint = gettext_lazy("Accounts come with the first sync of a connection.")
    facts = (
        (
            gettext_lazy("Account"),
            ("provider", "institution", "kind", "subtype", "currency", "external_id", "first_read_at", "version", "id"),
        ),
        (gettext_lazy("Balance"), ("opening", "posted", "provider_balance_as_of")),
    )

    @column(gettext_lazy("account"))
    def account(self, account: Account) -> str:
        return str(account)

    @column(gettext_lazy("connection"))
    def of_connection(self, account: Account) -> str:
        return link(record_url("providers.connection", account.connection_id), str(account.connection))

    @column(gettext_lazy("kind"))
    def sort(self, account: Account) -> str:
        return _sort(account)

    @column(gettext_lazy("status"))
    def state(self, account: Account) -> str:
        return status_chip(account)

    @column(gettext_lazy("our balance"))
    def ours(self, account: Account) -> str:
        return money(account.our_balance, account.currency)

    @column(gettext_lazy("provider's"))
    def theirs(self, account: Account) -> str:
        return money(account.provider_balance, account.currency)

    @column(gettext_lazy("drift"))
    def drift_value(self, account: Account) -> str:
        return drift_chip(account)

    @column(gettext_lazy("as of"))
    def as_of(self, account: Account) -> str:
        return moment(account.provider_balance_as_of)

    @column(gettext_lazy("opening balance"))
    def opening(self, account: Account) -> str:
        return money(account.opening_balance, account.currency)

    @column(gettext_lazy("sum of posted transactions"))
    def posted(self, account: Account) -> str:
        return money(account.posted_total, account.currency)

    def subtitle(self, account: Account) -> str:
        return " · ".join(filter(None, [account.institution, _sort(account)]))

    def notice(self, account: Account) -> Notice | None:
        """Explain an account that is closed or gone, or a drift."""
        if account.status == AccountStatus.CLOSED:
            return _closed(account)
        if account.status == AccountStatus.NEEDS_ATTENTION:
            return Notice(
                _("The provider no longer shows this account"),
                _("It may have been taken out of what the connection may see."),
                _("Ask the tenant to check the consent at the bank; the next sync picks the account up again."),
                "warn",
            )
        if account.drift:
            return Notice(
                _("Our balance and the provider's differ"),
                _("One side has a transaction that the other has not, often one that posted between two calls."),
                _("Sync the connection again; a drift that stays is worth a look at the latest transactions."),
                "warn",
            )
        return None

    def stats(self, account: Account) -> Sequence[Stat]:
        currency = account.currency
        return (
            Stat(_("Our balance"), money(account.our_balance, currency)),
            Stat(
                _("Provider's balance"),
                money(account.provider_balance, currency),
                moment(account.provider_balance_as_of),
            ),
            Stat(_("Available"), money(account.provider_available, currency)),
            Stat(_("Drift"), drift_chip(account)),
        )

    def panels(self, request: HttpRequest, account: Account) -> Sequence[Panel]:
        latest = Transaction.objects.filter(tenant_id=account.tenant_id, account=account).order_by("-date", "-id")
        rows = [
            [
                row.date.isoformat(),
                link(record_url("accounts.transaction", row.pk), row.counterparty or row.description),
                row.category,
                status_chip(row),
                money(row.amount, row.currency, signed=True),
            ]
            for row in latest[:_LATEST]
        ]
        return [
            Table(
                _("Latest transactions"),
                [_("date"), _("counterparty"), _("category"), _("status"), _("amount")],
                rows,
                empty=_("No transaction yet."),
                numeric=frozenset({4}),
                more_url=about_url("accounts.transaction", account),
                more_label=_("All transactions"),
            )
        ]

    def related_links(self, account: Account) -> Sequence[tuple[str, str]]:
        return (
            (_("Connection"), record_url("providers.connection", account.connection_id)),
            (_("Transactions"), about_url("accounts.transaction", account)),
            (_("Events"), about_url("outbox.outboxevent", account)),
            (_("Audit log"), about_url("audit.auditentry", account)),
        )


DIRECTION_FILTER = one_of(
    "direction",
    gettext_lazy("direction"),
    {"in": (gettext_lazy("Money in"), Q(amount__gt=0)), "out": (gettext_lazy("Money out"), Q(amount__lt=0))},
)


def _booked_within(days: int) -> Q:
    return Q(date__gt=clock.now().date() - timedelta(days=days))


_PERIODS = {
    7: gettext_lazy("Last 7 days"),
    30: gettext_lazy("Last 30 days"),
    90: gettext_lazy("Last 90 days"),
    365: gettext_lazy("Last year"),
}
PERIOD_FILTER = one_of(
    "days",
    gettext_lazy("period"),
    {str(days): (text, partial(_booked_within, days)) for days, text in _PERIODS.items()},
)


@admin.register(Transaction)
class TransactionAdmin(StaffModelAdmin):
    list_display = ("booked", "what", "tenant", "of_account", "sort", "state", "amount_value")
    list_filter = (TenantFilter, "status", DIRECTION_FILTER, PERIOD_FILTER)
    list_select_related = ("account",)
    ordering = ("-date", "-id")
    search_fields = ("description", "counterparty")
    search_ids = ("id", "account_id")
    search_help_text = gettext_lazy("Description, counterparty, or an id")
    empty_hint = gettext_lazy("Transactions come with the syncs of the tenants' connections.")
    facts = (
        (gettext_lazy("Provider's"), ("external_id", "provider_category", "created_at", "updated_at", "version", "id")),
        (gettext_lazy("Client's own"), ("category_override", "note")),
    )

    @column(gettext_lazy("date"))
    def booked(self, row: Transaction) -> str:
        return row.date.isoformat()

    @column(gettext_lazy("description"))
    def what(self, row: Transaction) -> str:
        return two_lines(row.counterparty or row.description, row.description if row.counterparty else "")

    @column(gettext_lazy("account"))
    def of_account(self, row: Transaction) -> str:
        return link(record_url("accounts.account", row.account_id), str(row.account))

    @column(gettext_lazy("category"))
    def sort(self, row: Transaction) -> str:
        return row.category

    @column(gettext_lazy("status"))
    def state(self, row: Transaction) -> str:
        return status_chip(row)

    @column(gettext_lazy("amount"))
    def amount_value(self, row: Transaction) -> str:
        return money(row.amount, row.currency, signed=True)

    def headline(self, row: Transaction) -> str:
        return row.counterparty or row.description or row.external_id

    def subtitle(self, row: Transaction) -> str:
        return f"{row.date.isoformat()} · {row.description}"

    def stats(self, row: Transaction) -> Sequence[Stat]:
        return (
            Stat(_("Amount"), money(row.amount, row.currency, signed=True)),
            Stat(_("Date"), row.date.isoformat()),
            Stat(_("Category"), row.category or "–"),
            Stat(_("Account"), link(record_url("accounts.account", row.account_id), str(row.account))),
        )

    def panels(self, request: HttpRequest, row: Transaction) -> Sequence[Panel]:
        if row.replaces_id is None:
            return []
        before = Transaction.objects.get(pk=row.replaces_id)
        cells = [
            before.date.isoformat(),
            link(record_url("accounts.transaction", before.pk), before.counterparty or before.description),
            status_chip(before),
            money(before.amount, before.currency, signed=True),
        ]
        headers = [_("date"), _("counterparty"), _("status"), _("amount")]
        return [Table(_("Took the place of"), headers, [cells], empty="", numeric=frozenset({3}))]

    def related_links(self, row: Transaction) -> Sequence[tuple[str, str]]:
        return (
            (_("Account"), record_url("accounts.account", row.account_id)),
            (_("Events"), about_url("outbox.outboxevent", row)),
            (_("Audit log"), about_url("audit.auditentry", row)),
        )
