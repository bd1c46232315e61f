"""Impersonations, as staff see them: begun from a member's page, listed, ended."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as message

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.actor import Actor
from apps.core.admin import (
    Notice,
    Outcome,
    Panel,
    ServiceAction,
    StaffModelAdmin,
    Stat,
    Table,
    TenantFilter,
    about_url,
    chip,
    clock_time,
    column,
    due,
    is_done,
    moment,
    number,
    one_of,
    record_url,
    staff_actor,
    two_lines,
)
from apps.core.admin.panels import Tone
from apps.tenants.enums import Ending
from apps.tenants.models import Impersonation, Membership
from apps.tenants.services import end_impersonation, start_impersonation
from apps.users.models import User
from apps.users.services import spend_code

_LOOKS = 100
ENDED = Outcome(message("%(count)s impersonation ended"), message("%(count)s impersonations ended"))
OVER = Outcome(message("%(count)s was over already"), message("%(count)s were over already"))
_TONES: Mapping[str, Tone] = {Ending.STOPPED: "warn", Ending.STAFF_LEFT: "warn", Ending.TENANT_SUSPENDED: "warn"}


class StartForm(forms.Form):
    """Why a staff user looks as a member."""

    ticket = forms.CharField(
        label=gettext_lazy("Ticket"),
        help_text=gettext_lazy("Where the member, or somebody for them, asks for it."),
        error_messages={"required": gettext_lazy("Name the ticket: the tenant reads it.")},
        max_length=100,
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy(
            "What you have to see for yourself. The tenant reads it in its audit log, with your name."
        ),
        error_messages={"required": gettext_lazy("Say why: the tenant reads it.")},
        max_length=500,
    )
    code = forms.CharField(
        label=gettext_lazy("One-time code"),
        help_text=gettext_lazy("That it is you: a new one from your authenticator app, or a recovery code."),
        error_messages={"required": gettext_lazy("Enter a code from your authenticator app.")},
        max_length=32,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )
    confirmed = forms.CharField(widget=forms.HiddenInput, initial="1")


def start_view(request: HttpRequest, member: Membership) -> HttpResponse:
    """Ask for a ticket and a reason, say what will happen, and begin."""
    form = StartForm(request.POST) if "confirmed" in request.POST else StartForm(initial={"confirmed": "1"})
    if form.is_bound and form.is_valid() and _start(request, member, form):
        return HttpResponseRedirect(reverse("admin:as_member"))
    context = {
        **admin.site.each_context(request),
        "title": _("Look as this member"),
        "form": form,
        "member": member,
        "opts": Membership._meta,
        "back": record_url("tenants.membership", member.pk),
    }
    return TemplateResponse(request, "tenants/impersonate.html", context)


def _start(request: HttpRequest, member: Membership, form: StartForm) -> bool:
    """Have the staff user prove who they are, then call the service; what is refused is shown on the form."""
    actor, now, user = staff_actor(request), clock.now(), request.user
    assert isinstance(user, User)
    if spend_code(user=user, code=form.cleaned_data["code"], actor=actor, now=now) is None:
        form.add_error("code", ValidationError(_("The code is not right, or was used: wait for the next one.")))
        return False

    def start() -> None:
        start_impersonation(
            member_id=member.pk,
            reason=form.cleaned_data["reason"],
            ticket=form.cleaned_data["ticket"],
            actor=actor.for_tenant(member.tenant_id),
            now=now,
        )

    if not is_done(form, start):
        return False
    messages.success(request, _("You see what %(member)s sees, for fifteen minutes.") % {"member": member.name})
    return True


def _end(impersonation: Impersonation, actor: Actor, now: datetime, reason: str) -> Outcome:
    ended = end_impersonation(impersonation_id=impersonation.pk, reason=reason, actor=actor, now=now)
    return ENDED if ended else OVER


def _is_active() -> Q:
    return Q(ended_at=None, expires_at__gt=clock.now())


LIVENESS_FILTER = one_of(
    "state",
    gettext_lazy("state"),
    {"active": (gettext_lazy("Active"), _is_active), "over": (gettext_lazy("Over"), lambda: ~_is_active())},
)


@admin.register(Impersonation)
class ImpersonationAdmin(StaffModelAdmin):
    never_read = ("token_hash",)
    list_display = ("who", "tenant", "state", "why", "begun", "left", "looks_figure")
    list_filter = (TenantFilter, LIVENESS_FILTER)
    search_fields = ("staff_name", "member_name", "ticket", "reason")
    search_ids = ("id", "staff_id", "user_id")
    empty_hint = gettext_lazy("Staff begin one from a member's page, with a ticket and a reason.")
    facts = (
        (
            gettext_lazy("Impersonation"),
            ("staff_name", "member_name", "ticket", "reason", "started_at", "expires_at", "id"),
        ),
        (gettext_lazy("End"), ("ended_at", "ending", "ended_by", "end_reason")),
    )
    service_actions = (
        ServiceAction(
            name="end",
            label=gettext_lazy("End"),
            icon="visibility_off",
            run=_end,
            confirm=gettext_lazy("Nothing is shown through it any more, and its token is refused, at once."),
            needs_reason=True,
            danger=True,
            permission="end",
            available=lambda impersonation: impersonation.is_live_at(clock.now()),
        ),
    )

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow whoever may view or end them."""
        return super().has_view_permission(request, obj) or request.user.has_perm("tenants.end_impersonation")

    @column(gettext_lazy("who, as whom"))
    def who(self, row: Impersonation) -> str:
        return two_lines(row.staff_name, _("as %(member)s") % {"member": row.member_name})

    @column(gettext_lazy("state"))
    def state(self, row: Impersonation) -> str:
        if row.is_live_at(clock.now()):
            return chip(_("Active"), "run")
        return chip(row.get_ending_display() or _("Its time is over"), _TONES.get(row.ending, "idle"))

    @column(gettext_lazy("why"))
    def why(self, row: Impersonation) -> str:
        return two_lines(row.ticket, row.reason)

    @column(gettext_lazy("begun"))
    def begun(self, row: Impersonation) -> str:
        return moment(row.started_at)

    @column(gettext_lazy("ends"))
    def left(self, row: Impersonation) -> str:
        return moment(row.ended_at) if row.ended_at else due(row.expires_at)

    @column(gettext_lazy("looks"))
    def looks_figure(self, row: Impersonation) -> str:
        return number(row.looks)

    def headline(self, row: Impersonation) -> str:
        return _("%(staff)s as %(member)s") % {"staff": row.staff_name, "member": row.member_name}

    def subtitle(self, row: Impersonation) -> str:
        return f"{row.ticket} · {row.reason}"

    def status(self, row: Impersonation) -> str:
        return self.state(row)

    def is_moving(self, row: Impersonation) -> bool:
        return row.is_live_at(clock.now())

    def notice(self, row: Impersonation) -> Notice | None:
        if not row.end_reason:
            return None
        return Notice(_("Ended by %(name)s") % {"name": row.ended_by}, row.end_reason, tone="warn")

    def stats(self, row: Impersonation) -> Sequence[Stat]:
        return (
            Stat(_("Begun"), moment(row.started_at)),
            Stat(_("Ended") if row.ended_at else _("Ends"), self.left(row), str(row.get_ending_display())),
            Stat(_("Looks"), number(row.looks), _("requests as the member")),
            Stat(_("Last look"), moment(row.looked_at)),
        )

    def panels(self, request: HttpRequest, row: Impersonation) -> Sequence[Panel]:
        looked = AuditEntry.objects.filter(
            tenant_id=row.tenant_id, target_id=str(row.pk), action="impersonation.looked"
        ).order_by("-at", "-id")[:_LOOKS]
        rows = [
            [clock_time(leaf.at), str(leaf.changes["request"][1]), str(leaf.changes["status"][1])] for leaf in looked
        ]
        return [
            Table(
                _("What was looked at"),
                [_("time (UTC)"), _("request"), _("answer")],
                rows,
                empty=_("Nothing yet."),
                numeric=frozenset({2}),
                more_url=about_url("audit.auditentry", row),
                more_label=_("Audit log"),
            )
        ]

    def related_links(self, row: Impersonation) -> Sequence[tuple[str, str]]:
        return (
            (_("Staff user"), record_url("users.user", row.staff_id)),
            (_("Member's user"), record_url("users.user", row.user_id)),
            (_("All of it in the tenant's log"), about_url("audit.auditentry", row)),
        )
