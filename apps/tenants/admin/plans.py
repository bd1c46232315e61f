"""A tenant's plan and limits: a form, then the service; and what is used of them."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core import clock
from apps.core.admin import ReasonForm, Table, form_page, number, staff_actor
from apps.tenants.enums import Meter, Plan
from apps.tenants.models import Tenant
from apps.tenants.services import set_plan
from apps.tenants.services.plans import LARGEST, Rate
from apps.tenants.usage import requests_of, usage_of

_RATES = {
    "tenant_rate": gettext_lazy("requests of the tenant"),
    "key_rate": gettext_lazy("requests of an API key"),
}


class PlanForm(ReasonForm):
    """A tenant's plan and its own limits; an empty limit is the plan's. `version` is the one that staff saw."""

    plan = forms.ChoiceField(label=gettext_lazy("Plan"), choices=Plan.choices)
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for meter in Meter:
            self.fields[meter] = forms.IntegerField(
                label=meter.label,
                help_text=gettext_lazy("Empty: what the plan allows."),
                min_value=0,
                max_value=LARGEST,
                required=False,
            )
        for name, label in _RATES.items():
            self.fields[name] = forms.RegexField(
                r"\A[0-9]{1,9}(/[0-9]{1,9}){1,2}\Z",
                label=label,
                help_text=gettext_lazy("A second, at once, in flight, such as 500/1000/100. Left out: as everywhere."),
                required=False,
            )
        self.order_fields(["plan", *Meter.values, *_RATES, "reason"])

    def overrides(self) -> dict[Meter, int]:
        """Return the limits that differ from the plan's."""
        given = {meter: self.cleaned_data[meter] for meter in Meter}
        return {meter: value for meter, value in given.items() if value is not None}

    def rate(self, name: str) -> Rate | None:
        """Return requests a second, at once and in flight; None when the field was left empty."""
        given: str = self.cleaned_data[name]
        return tuple(map(int, given.split("/"))) if given else None


def plan_view(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """Show the form, then set the plan."""
    rates = {name: "/".join(map(str, getattr(tenant, name) or ())) for name in _RATES}
    initial = {"plan": tenant.plan, "version": tenant.version, **tenant.limit_overrides, **rates}
    form = PlanForm(request.POST) if "version" in request.POST else PlanForm(initial=initial)

    def save() -> None:
        set_plan(
            tenant_id=tenant.pk,
            plan=Plan(form.cleaned_data["plan"]),
            overrides=form.overrides(),
            tenant_rate=form.rate("tenant_rate"),
            key_rate=form.rate("key_rate"),
            reason=form.cleaned_data["reason"],
            expected_version=form.cleaned_data["version"],
            actor=staff_actor(request),
            now=clock.now(),
        )

    return form_page(
        request,
        tenant,
        form,
        save=save,
        title=_("Plan and limits"),
        text=_("What the tenant has beyond a lower limit stays; there is no more of it."),
        submit=_("Set the plan"),
        done=_("The plan is set. What is added next is held to it."),
    )


def usage_table(tenant: Tenant) -> Table:
    """Return what the tenant uses of its limits."""
    rows = [
        [str(usage.name.label), number(usage.used), _("no limit") if usage.limit is None else number(usage.limit)]
        for usage in usage_of(tenant, now=clock.now())
    ]
    requests = requests_of(tenant, now=clock.now())
    rows.append([_("requests today (UTC)"), number(requests.today), _("no limit")])
    rows.append([_("requests this month (UTC)"), number(requests.this_month), _("no limit")])
    return Table(_("Usage"), [_("of"), _("used"), _("limit")], rows, empty="", numeric=frozenset({1, 2}))
