"""The kill switch's page: the installation, every tenant and every trading account, to stop and to let go."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core import clock
from apps.core.admin import changelist_url, chip, live, staff_actor
from apps.core.errors import DomainError
from apps.core.scope import is_limited
from apps.orders.enums import OrderStatus, SwitchScope
from apps.orders.models import InstallationKillSwitch, KillSwitch, Order, RiskAccount
from apps.orders.rules.states import OPEN_STATES
from apps.orders.selectors import Switches, kill_switches
from apps.orders.services.kill_switch import LONGEST_REASON, set_kill_switch
from apps.tenants.models import Tenant

PERMISSION = "orders.change_killswitch"
_TENANTS, _ACCOUNTS = 100, 1000
_SENT = OPEN_STATES - {OrderStatus.APPROVED}


@dataclass(frozen=True, slots=True)
class Line:
    """Something that can be stopped, and its switch if it was ever touched."""

    name: str
    hint: str
    url: str
    switch: KillSwitch | InstallationKillSwitch | None
    is_stopped: bool = False
    accounts: Sequence["Line"] = ()

    @property
    def is_engaged(self) -> bool:
        """Tell whether its own switch is engaged."""
        return self.switch is not None and self.switch.engaged

    @property
    def state(self) -> str:
        """Return the chip: stopped by its own switch, by one above it, or trading."""
        if self.is_engaged:
            return chip(_("Stopped"), "bad")
        return chip(_("Stopped from above"), "warn") if self.is_stopped else chip(_("Trading"), "ok")


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about."""

    scope: SwitchScope
    name: str
    tenant_id: UUID | None = None
    account_id: UUID | None = None

    def orders(self) -> Any:
        """Return its open orders."""
        found = Order.objects.filter(status__in=OPEN_STATES)
        found = found.filter(tenant_id=self.tenant_id) if self.tenant_id else found
        return found.filter(account_id=self.account_id) if self.account_id else found


def page(request: HttpRequest) -> HttpResponse:
    """Show every switch."""
    if not may_see(request):
        raise PermissionDenied
    search = request.GET.get("q", "").strip().replace("\x00", "")
    context = {"lines": _lines(search), "may_change": request.user.has_perm(PERMISSION), "search": search}
    if live.is_live(request):
        return live.fragment(request, TemplateResponse(request, "backoffice/switches.html", context))
    context |= {**admin.site.each_context(request), "title": _("Kill switch"), "live_url": live.url_of(request)}
    return TemplateResponse(request, "backoffice/kill_switch.html", context)


def change(request: HttpRequest, scope: str, key: UUID | None = None) -> HttpResponse:
    """Ask for a reason and say what will happen; then engage or release. POST only."""
    if request.method != "POST" or not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    if scope == SwitchScope.INSTALLATION and is_limited():
        raise PermissionDenied
    target = _target(scope, key)
    engage = request.POST.get("engage") == "1"
    reason = request.POST.get("reason", "").strip()
    if "confirmed" not in request.POST or not reason:
        return _question(request, target, engage)
    _set(request, target, engage, reason[:LONGEST_REASON])
    return HttpResponseRedirect(reverse("admin:kill_switch"))


def may_see(request: HttpRequest) -> bool:
    """Tell whether the user may see the switches."""
    return any(request.user.has_perm(f"orders.{verb}_killswitch") for verb in ("view", "change"))


def _set(request: HttpRequest, target: Target, engage: bool, reason: str) -> None:
    actor = staff_actor(request)
    actor = actor.for_tenant(target.tenant_id) if target.tenant_id else actor
    try:
        result = set_kill_switch(
            scope=target.scope,
            account_id=target.account_id,
            engaged=engage,
            reason=reason,
            actor=actor,
            now=clock.now(),
        )
    except DomainError as error:
        messages.error(request, str(error.message))
        return
    if not engage:
        messages.success(request, _("Released: %(name)s.") % {"name": target.name})
    elif result.is_quiet:
        messages.success(request, _("Stopped: %(name)s. No order is on its way.") % {"name": target.name})
    else:
        text = _("Stopped: %(name)s. An order that was being sent before is still on its way; no other goes out.")
        messages.warning(request, text % {"name": target.name})


# What can be stopped.


def _target(scope: str, key: UUID | None) -> Target:
    if scope == SwitchScope.INSTALLATION and key is None:
        return Target(SwitchScope.INSTALLATION, _("The whole installation"))
    if scope == SwitchScope.TENANT and key is not None:
        tenant = Tenant.objects.filter(pk=key).first()
        if tenant is not None:
            return Target(SwitchScope.TENANT, tenant.name, tenant_id=tenant.pk)
    if scope == SwitchScope.ACCOUNT and key is not None:
        account = RiskAccount.objects.select_related("account").filter(account_id=key).first()
        if account is not None:
            return Target(SwitchScope.ACCOUNT, str(account.account), account.tenant_id, account.account_id)
    raise Http404


def _lines(search: str) -> list[Line]:
    """Return the installation's line and the tenants that trade or were ever stopped, the stopped ones first."""
    switches = kill_switches()
    accounts = list(RiskAccount.objects.select_related("account").order_by("id")[:_ACCOUNTS])
    tenants = Tenant.objects.filter(
        Q(slug__icontains=search) | Q(name__icontains=search)
        if search
        else Q(pk__in={row.tenant_id for row in [*switches.owned.values(), *accounts]})
    )
    rows = [
        _tenant_line(tenant, [row for row in accounts if row.tenant_id == tenant.pk], switches)
        for tenant in tenants.order_by("slug")[:_TENANTS]
    ]
    rows.sort(key=lambda line: not (line.is_engaged or any(item.is_engaged for item in line.accounts)))
    # Who is limited to some tenants sees that all is stopped, and neither stops all nor lets it go.
    url = "" if is_limited() else reverse("admin:kill_switch_installation", args=[SwitchScope.INSTALLATION.value])
    hint = _("Every tenant and every account")
    return [Line(_("The whole installation"), hint, url, switches.installation), *rows]


def _tenant_line(tenant: Tenant, accounts: Sequence[RiskAccount], switches: Switches) -> Line:
    lines = [
        Line(
            str(row.account),
            f"{row.venue} · {row.get_mode_display()}",
            reverse("admin:kill_switch_change", args=[SwitchScope.ACCOUNT.value, row.account_id]),
            switches.owned.get((tenant.pk, row.account_id)),
            switches.stop_of(row) is not None,
        )
        for row in accounts
    ]
    own = switches.owned.get((tenant.pk, None))
    hint = ngettext("%(count)s trading account", "%(count)s trading accounts", len(lines)) % {"count": len(lines)}
    url = reverse("admin:kill_switch_change", args=[SwitchScope.TENANT.value, tenant.pk])
    return Line(tenant.name, f"{tenant.slug} · {hint}", url, own, switches.are_all_stopped, lines)


# What will happen.


def _question(request: HttpRequest, target: Target, engage: bool) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": _("Stop trading") if engage else _("Release the switch"),
        "target": target,
        "engage": engage,
        "consequences": _stopping(target) if engage else _releasing(target),
        "reason_missing": "confirmed" in request.POST,
        "longest": LONGEST_REASON,
        "back": reverse("admin:kill_switch"),
        "orders_url": _orders_url(target),
    }
    return TemplateResponse(request, "backoffice/kill_switch_confirm.html", context)


def _stopping(target: Target) -> list[str]:
    counts = target.orders().aggregate(
        waiting=Count("id", filter=Q(status=OrderStatus.APPROVED)), there=Count("id", filter=Q(status__in=_SENT))
    )
    waiting = ngettext(
        "%(count)s approved order that has not left is denied.",
        "%(count)s approved orders that have not left are denied.",
        counts["waiting"],
    )
    there = ngettext(
        "%(count)s open order stays at its venue. Cancel it there if it must go: cancels work as before.",
        "%(count)s open orders stay at their venues. Cancel them if they must go: cancels work as before.",
        counts["there"],
    )
    return [
        _("Every new order is denied, with your reason as its denial."),
        waiting % {"count": counts["waiting"]},
        there % {"count": counts["there"]},
        _("It waits for orders that are being sent at this moment. Once it is engaged, none goes out."),
    ]


def _releasing(target: Target) -> list[str]:
    found = [_("New orders are judged by the risk gate again.")]
    switches = kill_switches(tenant_ids=[target.tenant_id] if target.tenant_id else [])
    if target.scope is not SwitchScope.INSTALLATION and switches.are_all_stopped:
        found.append(_("The installation's own switch stays engaged: nothing goes out until it is released, too."))
    if target.account_id and target.tenant_id and switches.is_tenant_stopped(target.tenant_id):
        found.append(_("The tenant's own switch stays engaged: nothing goes out until it is released, too."))
    if target.scope is not SwitchScope.ACCOUNT:
        found.append(_("Switches below stay as they are: an account that was stopped by itself stays stopped."))
    return [*found, _("What was denied meanwhile stays denied.")]


def _orders_url(target: Target) -> str:
    filters: dict[str, Any] = {"standing": "open"}
    if target.tenant_id:
        filters["tenant"] = target.tenant_id
    if target.account_id:
        filters["q"] = target.account_id
    return changelist_url("orders.order", **filters)
