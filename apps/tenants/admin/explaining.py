"""Why a member or an API key may do something, or may not: the decision, drawn."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core import clock
from apps.core.admin import ServiceAction
from apps.core.admin.display import record_url
from apps.core.admin.panels import Text, Tone
from apps.core.conditions import Resource
from apps.core.decisions import Decision, Step
from apps.core.errors import NotFound
from apps.core.permissions import REGISTRY, Permission
from apps.core.scope import tenant_scope
from apps.tenants import explaining, selectors
from apps.tenants.explaining import Explained
from apps.tenants.models import Tenant

_CHOICES = 200
_NO_ORDER = gettext_lazy("This tenant has no order of this id.")


@dataclass(frozen=True, slots=True)
class Mark:
    """How a decision or a step came out, for the eye."""

    tone: Tone
    icon: str
    text: Text


_ALLOWED = Mark("ok", "check_circle", gettext_lazy("Allowed"))
_DENIED = Mark("bad", "cancel", gettext_lazy("Denied"))
_DEPENDS = Mark("warn", "help", gettext_lazy("It depends"))


class ExplainForm(forms.Form):
    """Who, what, and upon what."""

    who = forms.ChoiceField(label=gettext_lazy("Who"))
    permission = forms.ChoiceField(label=gettext_lazy("Wants to use"))
    order = forms.UUIDField(
        label=gettext_lazy("On the order"),
        required=False,
        help_text=gettext_lazy("Its id: to replace or to cancel it. Empty: on nothing in particular."),
    )
    amount = forms.DecimalField(
        label=gettext_lazy("Or to place one worth"),
        required=False,
        min_value=0,
        max_digits=38,
        decimal_places=18,
        help_text=gettext_lazy("In the account's currency."),
        widget=forms.TextInput,
    )

    def __init__(self, tenant_id: UUID, **options: Any) -> None:
        super().__init__(**options)
        self.fields["who"].choices = _people(tenant_id)  # type: ignore[attr-defined]  # a choice field
        self.fields["permission"].choices = _permissions()  # type: ignore[attr-defined]  # as above

    def explained(self) -> Explained:
        """Return whom the form asks about; the open scope is their tenant's."""
        kind, _colon, key = self.cleaned_data["who"].partition(":")
        if kind == "member":
            return explaining.about_member(selectors.get_member(UUID(key)))
        return explaining.about_key(selectors.get_api_key(UUID(key)), now=clock.now())

    def resource(self, who: Explained) -> Resource | None:
        """Return what the form asks about, if anything.

        Raises:
            NotFound: the tenant has no such order.
        """
        if self.cleaned_data["order"]:
            return explaining.get_resource("order", self.cleaned_data["order"])
        if self.cleaned_data["amount"] is not None:
            return explaining.order_to_place(who, self.cleaned_data["amount"])
        return None


def explain_action(who: str) -> ServiceAction:
    """Return the button that leads to the page; `who` is what the record is: tenant, member or key."""
    return ServiceAction(
        name="explain",
        label=gettext_lazy("Who may do what"),
        icon="policy",
        page=lambda request, obj: explain_view(request, obj, who),
        permission="view",
    )


def explain_view(request: HttpRequest, obj: Any, who: str) -> HttpResponse:
    """Show the form and, once it names somebody, the decision that they would meet now, and all others."""
    tenant_id: UUID = obj.pk if who == "tenant" else obj.tenant_id
    with tenant_scope(tenant_id):
        tenant = Tenant.objects.get(id=tenant_id)
        data = request.POST if "who" in request.POST else _asked_first(tenant_id, obj, who)
        form = ExplainForm(tenant_id, data=data)
        found = _found(form) if form.is_valid() else {}
    context = {
        **admin.site.each_context(request),
        "title": _("Who may do what"),
        "form": form,
        "tenant": tenant,
        "opts": type(obj)._meta,
        "back": record_url(_label(obj), obj.pk),
        **found,
    }
    return TemplateResponse(request, "tenants/explain.html", context)


def _asked_first(tenant_id: UUID, obj: Any, who: str) -> dict[str, str]:
    """Return what the page asks when it opens: of the record itself, or of the tenant's first member."""
    named = [value for _group, people in _people(tenant_id) for value, _name in people]
    first = named[0] if named else ""
    return {"who": first if who == "tenant" else f"{who}:{obj.pk}", "permission": str(Permission.ORDERS_WRITE)}


def _found(form: ExplainForm) -> dict[str, Any]:
    now, asked = clock.now(), Permission(form.cleaned_data["permission"])
    who = form.explained()
    try:
        resource = form.resource(who)
    except NotFound:
        form.add_error("order", str(_NO_ORDER))
        return {}
    decision = who.decide(asked, resource, now=now)
    return {
        "subject": who.principal,
        "asked": asked,
        "entry": REGISTRY[asked],
        "verdict": _mark(decision),
        "steps": [(_step_mark(step), step.text) for step in decision.steps],
        "areas": _areas(who, asked),
        "at": now,
    }


def _areas(who: Explained, asked: Permission) -> list[tuple[str, list[tuple[Permission, Mark, Text, bool]]]]:
    """Return every permission with how it stands, without a resource, by area."""
    areas: dict[str, list[tuple[Permission, Mark, Text, bool]]] = defaultdict(list)
    for name, entry in REGISTRY.items():
        mark = _mark(who.decide(name, None, now=clock.now()))
        areas[str(entry.area)].append((name, mark, entry.description, name == asked))
    return list(areas.items())


def _mark(decision: Decision) -> Mark:
    if decision.allowed:
        return _ALLOWED
    return _DEPENDS if decision.depends else _DENIED


def _step_mark(step: Step) -> Mark:
    return _DEPENDS if step.passed is None else (_ALLOWED if step.passed else _DENIED)


def _people(tenant_id: UUID) -> Sequence[tuple[Text, list[tuple[str, str]]]]:
    members = selectors.members().filter(tenant_id=tenant_id).order_by("name", "id")[:_CHOICES]
    keys = selectors.api_keys().filter(tenant_id=tenant_id).order_by("name", "id")[:_CHOICES]
    groups = [
        (_("Members"), [(f"member:{member.pk}", f"{member.name} · {member.role}") for member in members]),
        (_("API keys"), [(f"key:{key.pk}", f"{key.name} · {key.prefix}…") for key in keys]),
    ]
    return [(name, people) for name, people in groups if people]


def _permissions() -> list[tuple[str, list[tuple[str, str]]]]:
    areas: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, entry in REGISTRY.items():
        areas[str(entry.area)].append((str(name), str(name)))
    return list(areas.items())


def _label(obj: Model) -> str:
    return str(obj._meta.label_lower)
