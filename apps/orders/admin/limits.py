"""Changing an account's limits: a form, then what will change, then the service."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core import clock
from apps.core.admin import ReasonForm, is_done, money, number, percent, record_url, staff_actor
from apps.core.money import plain
from apps.orders.models import RiskAccount
from apps.orders.rules.units import DIGITS
from apps.orders.services.limits import LARGEST, set_limits

_HUNDRED = Decimal(100)


class LimitsForm(ReasonForm):
    """An account's limits as people write them: the concentration in per cent. `version` is the one they saw."""

    max_open_trades = forms.IntegerField(
        label=gettext_lazy("Open trades at most"),
        help_text=gettext_lazy("Distinct instruments with a position or an open order."),
        min_value=0,
        max_value=int(LARGEST["max_open_trades"]),
    )
    max_position_value = forms.DecimalField(
        label=gettext_lazy("Value of one position at most"),
        help_text=gettext_lazy("In the account's currency, at the worst case of its open orders."),
        min_value=Decimal(0),
        max_value=Decimal(LARGEST["max_position_value"]),
        decimal_places=DIGITS,
        max_digits=38,
    )
    max_concentration = forms.DecimalField(
        label=gettext_lazy("Share of equity in one instrument at most, in %"),
        help_text=gettext_lazy("More than 100 needs borrowed money."),
        min_value=Decimal(0),
        max_value=LARGEST["max_concentration"] * _HUNDRED,
        decimal_places=DIGITS - 2,
        max_digits=38,
    )
    max_orders_per_minute = forms.IntegerField(
        label=gettext_lazy("Orders a minute at most"),
        help_text=gettext_lazy("A burst of as many is let through at once."),
        min_value=0,
        max_value=int(LARGEST["max_orders_per_minute"]),
    )
    version = forms.IntegerField(widget=forms.HiddenInput)

    def limits(self) -> dict[str, int | Decimal]:
        """Return the limits as the service takes them."""
        given = {name: self.cleaned_data[name] for name in LARGEST}
        return {**given, "max_concentration": given["max_concentration"] / _HUNDRED}


def limits_view(request: HttpRequest, account: RiskAccount) -> HttpResponse:
    """Show the form, then what it would change, then change it."""
    back = record_url("orders.riskaccount", account.pk)
    form = LimitsForm(request.POST) if "version" in request.POST else LimitsForm(initial=_initial(account))
    is_asked = form.is_bound and form.is_valid() and "back" not in request.POST
    if is_asked and "confirmed" in request.POST and _set(request, account, form):
        return HttpResponseRedirect(back)
    changes = _changes(account, form.limits()) if is_asked and form.is_valid() else []
    context = {
        **admin.site.each_context(request),
        "title": _("Change limits"),
        "form": form,
        "account": account,
        "changes": changes,
        "same": is_asked and form.is_valid() and not changes,
        "opts": RiskAccount._meta,
        "list_name": _("trading accounts"),
        "reason": form.cleaned_data["reason"] if changes else "",
        "back": back,
    }
    return TemplateResponse(request, "orders/limits.html", context)


def _initial(account: RiskAccount) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(account, name) for name in LARGEST}
    values["max_concentration"] *= _HUNDRED
    shown = {name: plain(value) if isinstance(value, Decimal) else value for name, value in values.items()}
    return {**shown, "version": account.version}


def _set(request: HttpRequest, account: RiskAccount, form: LimitsForm) -> bool:
    """Change the limits, if the service lets."""

    def save() -> None:
        set_limits(
            account_id=account.account_id,
            limits=form.limits(),
            expected_version=form.cleaned_data["version"],
            reason=form.cleaned_data["reason"],
            actor=staff_actor(request).for_tenant(account.tenant_id),
            now=clock.now(),
        )

    if not is_done(form, save):
        return False
    messages.success(request, _("The limits are changed. The next order is judged by them."))
    return True


def _changes(account: RiskAccount, limits: dict[str, int | Decimal]) -> Sequence[tuple[str, str, str]]:
    """Return (limit, before, after) of what would change."""
    labels = LimitsForm.base_fields
    return [
        (str(labels[name].label), _shown(name, getattr(account, name), account), _shown(name, value, account))
        for name, value in limits.items()
        if value != getattr(account, name)
    ]


def _shown(name: str, value: int | Decimal, account: RiskAccount) -> str:
    if isinstance(value, int):
        return number(value)
    return percent(value, 7) if name == "max_concentration" else money(value, account.currency)
