"""Orders, what happened to them, their fills and positions, and what the risk gate knows and decided."""

from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from apps.core.db import TenantForeignKey
from apps.core.models import BaseModel, TenantModel, VersionedModel
from apps.core.retention import Retention
from apps.orders.enums import Mode, OrderStatus, OrderType, Outcome, Pending, Side, TimeInForce
from apps.orders.labels import choices_of
from apps.orders.rules.states import OPEN_STATES

_BLANK: Any = {"null": True, "blank": True}


def _decimal(**options: Any) -> "models.DecimalField[Any, Any]":
    return models.DecimalField(max_digits=38, decimal_places=18, **options)


def _choice(values: type[StrEnum], **options: Any) -> "models.CharField[Any, Any]":
    return models.CharField(max_length=20, choices=choices_of(values), **options)


def _known(field: str, values: type[StrEnum], name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=Q(**{f"{field}__in": [value.value for value in values]}), name=name)


def _to(model: str, **options: Any) -> "models.ForeignKey[Any, Any]":
    """Refer to a row of the same tenant; TenantForeignKey in the model's constraints guards it."""
    return models.ForeignKey(model, on_delete=models.PROTECT, db_constraint=False, db_index=False, **options)


class RiskAccount(TenantModel, VersionedModel):
    """A tenant's account at a venue as the risk gate sees it: its limits and the venue's last word on its means.

    There is one however often the account is connected: its money is there once. `account` is the one through which
    it was first traded and by which it is shown, `connection` the one through which the venue is asked.

    Its row lock orders everything that changes the account's risk, so that limits hold under concurrency; lock it
    before any order of the account. `means_as_of` is the time just before the venue was asked. `rate_reset_at` is
    the theoretical arrival time of the order rate limit (GCRA).
    """

    retention = Retention.BUSINESS
    personal_fields = ("external_id",)
    data_subject = "tenant_id"

    account = _to("accounts.Account", related_name="+")
    connection = _to("providers.Connection", related_name="+")
    venue = models.CharField(_("venue"), max_length=50)
    external_id = models.CharField(_("id at the venue"), max_length=200)
    mode = _choice(Mode, verbose_name=_("mode"))

    max_open_trades = models.PositiveIntegerField(_("open trades at most"), default=2)
    max_position_value = _decimal(verbose_name=_("value of one position at most"), default=Decimal(100_000))
    max_concentration = _decimal(verbose_name=_("share of equity in one instrument at most"), default=Decimal("0.3"))
    max_orders_per_minute = models.PositiveIntegerField(_("orders a minute at most"), default=60)

    currency = models.CharField(_("currency"), max_length=12)
    equity = _decimal(verbose_name=_("equity"), **_BLANK)
    cash = _decimal(verbose_name=_("cash"), **_BLANK)
    buying_power = _decimal(verbose_name=_("buying power"), **_BLANK)
    is_restricted = models.BooleanField(_("restricted by the venue"), default=False)
    means_as_of = models.DateTimeField(_("means as of"), **_BLANK)
    rate_reset_at = models.DateTimeField(_("order rate resets"), **_BLANK)

    class Meta(TenantModel.Meta):
        verbose_name = _("risk account")
        verbose_name_plural = _("risk accounts")
        constraints: ClassVar[list[Any]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["tenant_id", "venue", "external_id"], name="orders_riskaccount_one_per_venue_account"
            ),
            _known("mode", Mode, "orders_riskaccount_mode_known"),
            models.CheckConstraint(
                condition=Q(max_position_value__gte=0, max_concentration__gte=0),
                name="orders_riskaccount_limits_not_negative",
            ),
            TenantForeignKey(field="account", to="accounts.Account", name="orders_riskaccount_account"),
            TenantForeignKey(field="connection", to="providers.Connection", name="orders_riskaccount_connection"),
        ]

    def __str__(self) -> str:
        return f"{self.venue} {self.account_id}"


class Order(TenantModel, VersionedModel):
    """An order; the projection of its events. `client_order_id` is what the venue knows it by, fixed for ever.

    `reserved` is what the order may still cost or has cost, in the account's currency, until the venue's own figures
    include it. `placed_by` is the user or the API key that placed it. `accepted_at` is our time when we first knew that
    the venue has the order: means that were asked for after it include the order, older ones may not.
    `venue_updated_at` is the venue's own time of what was last taken over, by which a stale word is known.
    """

    retention = Retention.BUSINESS

    account = _to("accounts.Account", related_name="+")
    risk_account = _to("orders.RiskAccount", related_name="orders")
    instrument = models.ForeignKey("market.Instrument", on_delete=models.PROTECT, related_name="+", db_index=False)
    symbol = models.CharField(_("symbol at the venue"), max_length=40)
    client_order_id = models.CharField(_("client order id"), max_length=48)
    side = _choice(Side, verbose_name=_("side"))
    type = _choice(OrderType, verbose_name=_("type"))
    quantity = _decimal(verbose_name=_("quantity"))
    limit_price = _decimal(verbose_name=_("limit price"), **_BLANK)
    stop_price = _decimal(verbose_name=_("stop price"), **_BLANK)
    time_in_force = _choice(TimeInForce, verbose_name=_("time in force"))
    mode = _choice(Mode, verbose_name=_("mode"))
    status = _choice(OrderStatus, verbose_name=_("status"))
    pending = _choice(Pending, verbose_name=_("pending"), default=Pending.NONE.value)
    filled_quantity = _decimal(verbose_name=_("filled"), default=Decimal(0))
    average_fill_price = _decimal(verbose_name=_("average fill price"), **_BLANK)
    reserved = _decimal(verbose_name=_("reserved"), default=Decimal(0))
    venue_order_id = models.CharField(_("order id at the venue"), max_length=64, blank=True)
    placed_by = models.UUIDField(_("placed by"), editable=False, **_BLANK)
    denial_code = models.CharField(_("denial"), max_length=64, blank=True)
    denial_detail = models.CharField(_("why"), max_length=500, blank=True)
    replaces = _to("orders.Order", related_name="replacements", **_BLANK)
    lookups = models.PositiveIntegerField(_("look-ups that found nothing"), default=0)
    submitted_at = models.DateTimeField(_("submitted"), **_BLANK)
    accepted_at = models.DateTimeField(_("confirmed by the venue"), **_BLANK)
    closed_at = models.DateTimeField(_("closed"), **_BLANK)
    venue_updated_at = models.DateTimeField(_("as of, at the venue"), **_BLANK)

    class Meta(TenantModel.Meta):
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        constraints: ClassVar[list[Any]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["tenant_id", "client_order_id"], name="orders_order_client_order_id"),
            _known("status", OrderStatus, "orders_order_status_known"),
            _known("pending", Pending, "orders_order_pending_known"),
            _known("side", Side, "orders_order_side_known"),
            _known("type", OrderType, "orders_order_type_known"),
            _known("time_in_force", TimeInForce, "orders_order_time_in_force_known"),
            _known("mode", Mode, "orders_order_mode_known"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="orders_order_quantity_positive"),
            models.CheckConstraint(
                condition=Q(filled_quantity__gte=0, filled_quantity__lte=F("quantity")),
                name="orders_order_filled_within_quantity",
            ),
            TenantForeignKey(field="account", to="accounts.Account", name="orders_order_account"),
            TenantForeignKey(field="risk_account", to="orders.RiskAccount", name="orders_order_risk_account"),
            TenantForeignKey(field="replaces", to="orders.Order", name="orders_order_replaces"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["tenant_id", "account", "-id"], name="orders_order_by_account"),
            # What is open is little, and the gate reads all of it.
            models.Index(
                fields=["tenant_id", "risk_account"],
                condition=Q(status__in=sorted(state.value for state in OPEN_STATES)),
                name="orders_order_open",
            ),
            # What the venue's figures may not include yet.
            models.Index(
                fields=["tenant_id", "risk_account", "accepted_at"],
                condition=Q(reserved__gt=0),
                name="orders_order_reserved",
            ),
            models.Index(
                fields=["tenant_id", "risk_account", "venue_order_id"],
                condition=~Q(venue_order_id=""),
                name="orders_order_by_venue_id",
            ),
            models.Index(
                fields=["tenant_id", "replaces"], condition=Q(replaces__isnull=False), name="orders_order_replaced"
            ),
            models.Index(fields=["tenant_id", "status", "-id"], name="orders_order_by_status"),
            models.Index(fields=["tenant_id", "instrument", "-id"], name="orders_order_by_instrument"),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.quantity.normalize():f} {self.symbol}"


class OrderEvent(TenantModel):
    """What happened to an order, append-only; `sequence` counts from 1 per order. The order's row is their fold."""

    retention = Retention.EVIDENCE

    order = _to("orders.Order", related_name="events")
    sequence = models.PositiveIntegerField(_("sequence"))
    type = models.CharField(_("type"), max_length=64)
    data = models.JSONField(_("data"), default=dict)
    at = models.DateTimeField(_("at"))

    class Meta(TenantModel.Meta):
        verbose_name = _("order event")
        verbose_name_plural = _("order events")
        constraints: ClassVar[list[Any]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["tenant_id", "order", "sequence"], name="orders_orderevent_sequence"),
            TenantForeignKey(field="order", to="orders.Order", name="orders_orderevent_order"),
        ]

    def __str__(self) -> str:
        return f"{self.sequence} {self.type}"


class Fill(TenantModel):
    """An execution at the venue, append-only, once per (account there, execution id). `fee` > 0 is a cost."""

    retention = Retention.EVIDENCE

    order = _to("orders.Order", related_name="fills")
    account = _to("accounts.Account", related_name="+")
    risk_account = _to("orders.RiskAccount", related_name="fills")
    instrument = models.ForeignKey("market.Instrument", on_delete=models.PROTECT, related_name="+", db_index=False)
    venue_execution_id = models.CharField(_("execution id at the venue"), max_length=100)
    side = _choice(Side, verbose_name=_("side"))
    quantity = _decimal(verbose_name=_("quantity"))
    price = _decimal(verbose_name=_("price"))
    fee = _decimal(verbose_name=_("fee"), default=Decimal(0))
    realized_pnl = _decimal(verbose_name=_("realised P&L"), default=Decimal(0))
    is_late = models.BooleanField(_("after the order's end"), default=False)
    filled_at = models.DateTimeField(_("filled"))
    created_at = models.DateTimeField(_("stored"))

    class Meta(TenantModel.Meta):
        verbose_name = _("fill")
        verbose_name_plural = _("fills")
        constraints: ClassVar[list[Any]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["tenant_id", "risk_account", "venue_execution_id"], name="orders_fill_one_per_execution"
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0, price__gte=0), name="orders_fill_positive"),
            _known("side", Side, "orders_fill_side_known"),
            TenantForeignKey(field="order", to="orders.Order", name="orders_fill_order"),
            TenantForeignKey(field="account", to="accounts.Account", name="orders_fill_account"),
            TenantForeignKey(field="risk_account", to="orders.RiskAccount", name="orders_fill_risk_account"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["tenant_id", "order", "id"], name="orders_fill_by_order"),
            models.Index(fields=["tenant_id", "risk_account", "-id"], name="orders_fill_by_risk_account"),
            models.Index(fields=["tenant_id", "account", "-id"], name="orders_fill_by_account"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity.normalize():f} @ {self.price.normalize():f}"


class Position(TenantModel, VersionedModel):
    """What an account holds of an instrument through its fills, at average cost; a short is negative.

    A projection of the fills. `average_price` is 0 while flat. Unrealised P&L is computed from the latest quote.
    """

    retention = Retention.BUSINESS

    risk_account = _to("orders.RiskAccount", related_name="positions")
    instrument = models.ForeignKey("market.Instrument", on_delete=models.PROTECT, related_name="+", db_index=False)
    quantity = _decimal(verbose_name=_("quantity"))
    average_price = _decimal(verbose_name=_("average price"))
    realized_pnl = _decimal(verbose_name=_("realised P&L"), default=Decimal(0))

    class Meta(TenantModel.Meta):
        verbose_name = _("position")
        verbose_name_plural = _("positions")
        constraints: ClassVar[list[Any]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["tenant_id", "risk_account", "instrument"], name="orders_position_one_per_instrument"
            ),
            TenantForeignKey(field="risk_account", to="orders.RiskAccount", name="orders_position_risk_account"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity.normalize():f} × {self.instrument_id}"


class RiskDecision(TenantModel):
    """What the gate decided and upon what, append-only. Without an order it was a dry run.

    `inputs` is the whole snapshot, `checks` the result of each check in order.
    """

    retention = Retention.EVIDENCE
    personal_fields = ("actor",)
    data_subject = "actor"

    account = _to("accounts.Account", related_name="+")
    order = _to("orders.Order", related_name="decisions", **_BLANK)
    outcome = _choice(Outcome, verbose_name=_("outcome"))
    code = models.CharField(_("code"), max_length=64, blank=True)
    detail = models.CharField(_("detail"), max_length=500, blank=True)
    request = models.JSONField(_("request"))
    inputs = models.JSONField(_("inputs"))
    checks = models.JSONField(_("checks"))
    actor = models.JSONField(_("actor"))
    decided_at = models.DateTimeField(_("decided"))

    class Meta(TenantModel.Meta):
        verbose_name = _("risk decision")
        verbose_name_plural = _("risk decisions")
        constraints: ClassVar[list[Any]] = [
            *TenantModel.Meta.constraints,
            _known("outcome", Outcome, "orders_riskdecision_outcome_known"),
            TenantForeignKey(field="account", to="accounts.Account", name="orders_riskdecision_account"),
            TenantForeignKey(field="order", to="orders.Order", name="orders_riskdecision_order"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["tenant_id", "account", "-id"], name="orders_riskdecision_account"),
            models.Index(
                fields=["tenant_id", "order"], condition=Q(order__isnull=False), name="orders_riskdecision_order"
            ),
            models.Index(fields=["tenant_id", "outcome", "-id"], name="orders_riskdecision_outcome"),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} {self.code}"


class KillSwitch(TenantModel, VersionedModel):
    """Stops a tenant's trading, or with `account` a risk account's. The row stays when it is released."""

    retention = Retention.CONFIGURATION

    account = _to("accounts.Account", related_name="+", **_BLANK)
    engaged = models.BooleanField(_("engaged"))
    reason = models.CharField(_("reason"), max_length=500)
    changed_by = models.CharField(_("by"), max_length=200)

    class Meta(TenantModel.Meta):
        verbose_name = _("kill switch")
        verbose_name_plural = _("kill switches")
        constraints: ClassVar[list[Any]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["tenant_id", "account"], name="orders_killswitch_one_per_scope", nulls_distinct=False
            ),
            TenantForeignKey(field="account", to="accounts.Account", name="orders_killswitch_account"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id or 'tenant'}: {'engaged' if self.engaged else 'released'}"


class InstallationKillSwitch(BaseModel, VersionedModel):
    """Stops the whole installation's trading: one row at most."""

    retention = Retention.CONFIGURATION

    engaged = models.BooleanField(_("engaged"))
    reason = models.CharField(_("reason"), max_length=500)
    changed_by = models.CharField(_("by"), max_length=200)

    class Meta:
        verbose_name = _("installation's kill switch")
        verbose_name_plural = _("installation's kill switch")
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(models.Value(1), name="orders_installationkillswitch_one_row")
        ]

    def __str__(self) -> str:
        return "engaged" if self.engaged else "released"
