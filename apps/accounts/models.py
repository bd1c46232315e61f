"""Accounts held at providers, their transactions, and what they hold beside money."""

from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.accounts.enums import AccountKind, AccountMode, AccountStatus, TransactionStatus
from apps.core.db import TenantForeignKey
from apps.core.models import TenantModel, VersionedModel
from apps.core.money import plain
from apps.core.permissions import ACCOUNT, CONNECTION
from apps.core.retention import Retention


def _amount(**options: Any) -> "models.DecimalField[Any, Any]":
    return models.DecimalField(max_digits=38, decimal_places=18, **options)


class Account(TenantModel, VersionedModel):
    """An account at a provider, as one connection sees it.

    Two balances stand side by side. The provider's is what it told us at `provider_balance_as_of`. Ours is
    `opening_balance` plus the sum of posted transactions: the opening is fixed when the account is first read, so that
    the two agree then, and from there on any difference (the drift) is a transaction that one side has and the other
    has not. `posted_total` is a projection of the transactions: the sync keeps it, and it can be rebuilt and compared.

    `mode` is fixed when the account is first seen: what reaches paper alone never comes to reach money.
    """

    retention = Retention.BUSINESS
    personal_fields = ("name", "last_four", "external_id")
    data_subject = "tenant_id"

    connection = models.ForeignKey(
        "providers.Connection", on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="accounts"
    )
    provider = models.CharField(_("provider"), max_length=40)
    external_id = models.CharField(_("id at the provider"), max_length=200)
    name = models.CharField(_("name"), max_length=200)
    kind = models.CharField(_("kind"), max_length=12, choices=AccountKind)
    subtype = models.CharField(_("subtype"), max_length=40, blank=True)
    mode = models.CharField(
        _("mode"), max_length=5, choices=AccountMode.choices, default=AccountMode.LIVE, editable=False
    )
    currency = models.CharField(_("currency"), max_length=12)
    last_four = models.CharField(_("last four digits"), max_length=4, blank=True)
    institution = models.CharField(_("institution"), max_length=200, blank=True)
    status = models.CharField(_("status"), max_length=16, choices=AccountStatus)
    provider_balance = _amount(verbose_name=_("provider's balance"), null=True, blank=True)
    provider_available = _amount(verbose_name=_("provider's available balance"), null=True, blank=True)
    provider_balance_as_of = models.DateTimeField(_("provider's balance as of"), null=True, blank=True)
    opening_balance = _amount(verbose_name=_("opening balance"), null=True, blank=True)
    posted_total = _amount(verbose_name=_("sum of posted transactions"), default=Decimal(0))
    # Until then nothing of the account has been read, and its next read is a backfill.
    first_read_at = models.DateTimeField(_("first read"), null=True, blank=True)
    fully_read_at = models.DateTimeField(_("whole history last read"), null=True, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints: ClassVar[list[Any]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["tenant_id", "connection", "external_id"], name="accounts_account_one_per_external_id"
            ),
            models.CheckConstraint(condition=Q(kind__in=AccountKind.values), name="accounts_account_kind_known"),
            models.CheckConstraint(condition=Q(status__in=AccountStatus.values), name="accounts_account_status_known"),
            models.CheckConstraint(condition=Q(mode__in=AccountMode.values), name="accounts_account_mode_known"),
            models.CheckConstraint(
                condition=Q(provider_balance__isnull=True) | Q(provider_balance_as_of__isnull=False),
                name="accounts_account_balance_has_its_time",
            ),
            TenantForeignKey(field="tenant_id", to="tenants.Tenant", name="accounts_account_tenant"),
            TenantForeignKey(field="connection", to="providers.Connection", name="accounts_account_connection"),
        ]

    def __str__(self) -> str:
        # Brokers' accounts are called by their number, which ends with these four.
        return self.name if self.name.endswith(self.last_four) else f"{self.name} ••{self.last_four}"

    @property
    def our_balance(self) -> Decimal:
        """What our rows add up to."""
        balance: Decimal = (self.opening_balance or Decimal(0)) + self.posted_total
        return balance

    @property
    def drift(self) -> Decimal | None:
        """The provider's balance minus ours; None while the provider has told none."""
        return None if self.provider_balance is None else self.provider_balance - self.our_balance


class Transaction(TenantModel, VersionedModel):
    """One movement on an account, as the provider tells it; `category_override` and `note` are the client's own.

    A sync rewrites the provider's columns and never the client's. A posted row that took the place of a pending one
    under a new id refers to it by `replaces` and inherits the client's columns.
    """

    retention = Retention.BUSINESS
    personal_fields = ("description", "counterparty", "note", "external_id")
    data_subject = "tenant_id"

    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="transactions"
    )
    external_id = models.CharField(_("id at the provider"), max_length=200)
    amount = _amount(verbose_name=_("amount"), help_text=_("Negative is money out."))
    currency = models.CharField(_("currency"), max_length=12)
    date = models.DateField(_("date"))
    description = models.CharField(_("description"), max_length=1000, blank=True)
    counterparty = models.CharField(_("counterparty"), max_length=200, blank=True)
    provider_category = models.CharField(_("provider's category"), max_length=100, blank=True)
    category_override = models.CharField(_("client's category"), max_length=100, blank=True)
    note = models.CharField(_("note"), max_length=2000, blank=True)
    status = models.CharField(_("status"), max_length=8, choices=TransactionStatus)
    replaces = models.ForeignKey(
        "self", on_delete=models.PROTECT, db_constraint=False, db_index=False, null=True, blank=True, related_name="+"
    )

    class Meta(TenantModel.Meta):
        verbose_name = _("transaction")
        verbose_name_plural = _("transactions")
        constraints: ClassVar[list[Any]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["tenant_id", "account", "external_id"], name="accounts_transaction_one_per_external_id"
            ),
            models.CheckConstraint(
                condition=Q(status__in=TransactionStatus.values), name="accounts_transaction_status_known"
            ),
            # The account's key holds the tenant, so a key of its own to the tenant would only slow a backfill down.
            TenantForeignKey(field="account", to="accounts.Account", name="accounts_transaction_account"),
            TenantForeignKey(field="replaces", to="accounts.Transaction", name="accounts_transaction_replaces"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # Ascending, though lists read them backwards: a backfill then appends to them, which costs half.
            models.Index(fields=["tenant_id", "date", "id"], name="accounts_txn_list"),
            models.Index(fields=["tenant_id", "account", "date", "id"], name="accounts_txn_by_account"),
            # The staff's list, across tenants.
            models.Index(fields=["date", "id"], name="accounts_txn_staff_list"),
            # What is pending or removed is rare and may lie anywhere in the years.
            models.Index(
                fields=["tenant_id", "date", "id"], condition=~Q(status="posted"), name="accounts_txn_not_posted"
            ),
            # Not unique: a bank may take a posted row back, show the pending one again and post it anew.
            models.Index(
                fields=["tenant_id", "replaces"],
                condition=Q(replaces__isnull=False),
                name="accounts_txn_replaces",
            ),
            models.Index(
                fields=["tenant_id", "account", "date"],
                condition=Q(status="pending"),
                name="accounts_txn_pending",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.date} {plain(self.amount)} {self.currency} {self.description}"

    @property
    def category(self) -> str:
        """The client's category where there is one, else the provider's."""
        return self.category_override or self.provider_category


class Holding(TenantModel):
    """What an account holds of one instrument, as its provider last told; a short is negative.

    A picture of the provider's side, rewritten by each sync: our own record of trades are fills and positions.
    Prices and values are in the account's currency, None where the provider tells none. The canonical key is found
    through the market room's listings when it is asked for: a list may be imported after the account was read.
    """

    retention = Retention.BUSINESS
    personal_fields = ("external_id", "symbol", "quantity")
    data_subject = "tenant_id"

    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="holdings"
    )
    external_id = models.CharField(_("asset's id at the provider"), max_length=64)
    symbol = models.CharField(_("symbol at the provider"), max_length=40)
    quantity = _amount(verbose_name=_("quantity"))
    average_price = _amount(verbose_name=_("average price"))
    market_price = _amount(verbose_name=_("market price"), null=True, blank=True)
    market_value = _amount(verbose_name=_("market value"), null=True, blank=True)
    cost_basis = _amount(verbose_name=_("cost basis"), null=True, blank=True)
    as_of = models.DateTimeField(_("as of"))

    class Meta(TenantModel.Meta):
        verbose_name = _("holding")
        verbose_name_plural = _("holdings")
        constraints: ClassVar[list[Any]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["tenant_id", "account", "external_id"], name="accounts_holding_one_per_asset"
            ),
            TenantForeignKey(field="account", to="accounts.Account", name="accounts_holding_account"),
        ]

    def __str__(self) -> str:
        return f"{plain(self.quantity)} {self.symbol}"


class ObjectGrant(TenantModel):
    """A permission that a member was granted for one account, or for one connection and its accounts.

    As in django-guardian: who, which permission, for which object, by a key of its own. It ends with the membership.
    """

    retention = Retention.BUSINESS
    personal_fields = ()

    member = models.ForeignKey(
        "tenants.Membership", on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="grants"
    )
    permission = models.CharField(_("permission"), max_length=40)
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, db_constraint=False, db_index=False, null=True, related_name="+"
    )
    connection = models.ForeignKey(
        "providers.Connection",
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="+",
    )
    granted_by = models.CharField(_("granted by"), max_length=200, editable=False)
    created_at = models.DateTimeField(_("granted at"), editable=False)

    class Meta(TenantModel.Meta):
        verbose_name = _("object grant")
        verbose_name_plural = _("object grants")
        constraints: ClassVar[list[Any]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["tenant_id", "member", "permission", "account", "connection"],
                name="accounts_objectgrant_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(account__isnull=True) ^ Q(connection__isnull=True), name="accounts_objectgrant_one_object"
            ),
            TenantForeignKey(
                field="member", to="tenants.Membership", name="accounts_objectgrant_member", on_delete="CASCADE"
            ),
            TenantForeignKey(field="account", to="accounts.Account", name="accounts_objectgrant_account"),
            TenantForeignKey(field="connection", to="providers.Connection", name="accounts_objectgrant_connection"),
        ]

    def __str__(self) -> str:
        return f"{self.permission} for {self.object_type} {self.object_id}"

    @property
    def object_type(self) -> str:
        """Return what kind of object it is for."""
        return ACCOUNT if self.account_id else CONNECTION

    @property
    def object_id(self) -> UUID:
        """Return the object's id."""
        found = self.account_id or self.connection_id
        assert found is not None
        return found
