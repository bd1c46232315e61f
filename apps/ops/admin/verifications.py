"""Verifications, as staff and auditors see them: what was proved, of how much, and what was found."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.core import clock
from apps.core.admin import (
    NOTHING,
    Notice,
    Panel,
    StaffModelAdmin,
    Stat,
    Table,
    chip,
    column,
    duration,
    link,
    moment,
    number,
    record_url,
    short_id,
    staff_actor,
    status_chip,
    two_lines,
)
from apps.core.admin.panels import Text, Tone
from apps.core.verification import Verdict
from apps.ops.enums import OPEN_STATES, RunState
from apps.ops.models import VerificationRun
from apps.ops.selectors import last_verification
from apps.ops.services import request_verification

_TONES: Mapping[str, Tone] = {"proved": "ok", "findings": "bad", "broken": "bad", "queued": "info", "running": "run"}
_VERDICTS: Mapping[str, tuple[Text, Tone]] = {
    "": (gettext_lazy("waits"), "idle"),
    Verdict.PASSED: (gettext_lazy("proved"), "ok"),
    Verdict.NOTHING: (gettext_lazy("nothing to check"), "idle"),
    Verdict.FINDINGS: (gettext_lazy("findings"), "bad"),
    Verdict.BROKEN: (gettext_lazy("could not run"), "bad"),
}
# What is wrong comes first, then what is under way.
_ORDER = (Verdict.BROKEN, Verdict.FINDINGS, "", Verdict.PASSED, Verdict.NOTHING)
_SHOWN = 25


@admin.register(VerificationRun)
class VerificationRunAdmin(StaffModelAdmin):
    list_is_live = True
    change_list_template = "ops/verifications.html"
    list_display = ("run", "outcome", "proved", "things", "findings", "took", "by")
    list_filter = ("state", "trigger")
    empty_hint = gettext_lazy("Nothing has been verified yet. A verification runs every night, and whenever you ask.")
    facts = ((gettext_lazy("Run"), ("trigger", "by", "requested_at", "started_at", "finished_at", "tenants", "id")),)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.verify_view)
        return [path("verify/", view, name="ops_verificationrun_verify"), *super().get_urls()]

    def verify_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for a verification and show it; POST only."""
        if request.method != "POST" or not request.user.has_perm("ops.change_verificationrun"):
            raise PermissionDenied
        run = request_verification(actor=staff_actor(request), now=clock.now())
        return HttpResponseRedirect(record_url("ops.verificationrun", run.pk))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list below what the last verification came to."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        last = last_verification()
        extra = {
            "last": last,
            "last_status": self.status(last) if last else "",
            "last_said": said(last) if last else "",
            "verify_url": reverse("admin:ops_verificationrun_verify"),
            "may_verify": request.user.has_perm("ops.change_verificationrun"),
        }
        return super().changelist_view(request, {**(extra_context or {}), **extra})

    @column(gettext_lazy("verification"))
    def run(self, run: VerificationRun) -> str:
        return moment(run.requested_at)

    @column(gettext_lazy("outcome"))
    def outcome(self, run: VerificationRun) -> str:
        return self.status(run)

    @column(gettext_lazy("checks proved"))
    def proved(self, run: VerificationRun) -> str:
        return f"{_count(run, Verdict.PASSED)} / {len(run.checks)}"

    @column(gettext_lazy("looked at"))
    def things(self, run: VerificationRun) -> str:
        return number(run.looked_at)

    @column(gettext_lazy("findings"))
    def findings(self, run: VerificationRun) -> str:
        return chip(number(run.found), "bad") if run.found else NOTHING

    @column(gettext_lazy("took"))
    def took(self, run: VerificationRun) -> str:
        return duration(_took(run))

    @column(gettext_lazy("asked for by"))
    def by(self, run: VerificationRun) -> str:
        who = run.requested_by.get("label", "")
        return str(who) if run.trigger == "staff" else str(run.get_trigger_display())

    def headline(self, run: VerificationRun) -> str:
        return _("Verification of %(at)s") % {"at": f"{run.requested_at:%Y-%m-%d, %H:%M} UTC"}

    def subtitle(self, run: VerificationRun) -> Text:
        return said(run)

    def status(self, run: VerificationRun) -> str:
        return status_chip(run, "state", **_TONES)

    def is_moving(self, run: VerificationRun) -> bool:
        return run.state in OPEN_STATES

    def notice(self, run: VerificationRun) -> Notice | None:
        """Say what to do about findings."""
        if run.state == RunState.BROKEN:
            names = ", ".join(check["title"] for check in run.checks if check["verdict"] == Verdict.BROKEN)
            remedy = _("Remove what the check's error names, then verify again: what was not looked at is not proved.")
            return Notice(_("Not everything could be looked at"), names, remedy)
        if run.found:
            title = ngettext("%(count)s finding", "%(count)s findings", run.found) % {"count": number(run.found)}
            remedy = _("Keep the evidence: take a backup before anything is put right. Each finding says what to do.")
            return Notice(title, _("Records do not agree with each other, or the database was changed."), remedy)
        return None

    def stats(self, run: VerificationRun) -> Sequence[Stat]:
        done = sum(bool(check["verdict"]) for check in run.checks)
        empty = _count(run, Verdict.NOTHING)
        hint = _("%(count)s had nothing to look at") % {"count": empty} if empty else _("of %(all)s") % {"all": done}
        bad = run.found or run.state == RunState.BROKEN
        return (
            Stat(
                _("Checks proved"), f"{_count(run, Verdict.PASSED)} / {len(run.checks)}", hint, "bad" if bad else "ok"
            ),
            Stat(_("Looked at"), number(run.looked_at), _("rows, definitions and grants")),
            Stat(_("Findings"), number(run.found), _("none") if not run.found else "", "bad" if run.found else "ok"),
            Stat(_("Tenants"), number(run.tenants), _("every one of them")),
            Stat(_("Took"), duration(_took(run)), moment(run.finished_at) if run.finished_at else _("under way")),
        )

    def panels(self, request: HttpRequest, run: VerificationRun) -> Sequence[Panel]:
        wrong = [check for check in run.checks if check["findings"]]
        tenants = {UUID(row["tenant_id"]) for check in wrong for row in check["findings"] if row["tenant_id"]}
        slugs = self.admin_site.tenant_slugs(tenants) if tenants else {}
        return [*(self._found(check, slugs) for check in wrong), _checks(run)]

    def _found(self, check: Mapping[str, Any], slugs: Mapping[UUID, str]) -> Table:
        pages = {model._meta.db_table: model._meta.label_lower for model in self.admin_site._registry}
        rows: list[Sequence[Text]] = [
            (
                _prose(row["problem"], row["remedy"]),
                two_lines(_where(row, pages), row["table"]),
                _tenant(row["tenant_id"], slugs),
                _prose(row["found"], _("expected: %(what)s") % {"what": row["expected"]}),
            )
            for row in check["findings"][:_SHOWN]
        ]
        more = check["found"] - len(rows)
        title = f"{check['title']}: " + ngettext("%(n)s finding", "%(n)s findings", check["found"]) % {
            "n": number(check["found"])
        }
        headers = [_("what is wrong"), _("where"), _("tenant"), _("found")]
        if more:
            note = _("and %(count)s more: manage.py verify --only %(name)s --json") % {
                "count": number(more),
                "name": check["name"],
            }
            rows.append((note, "", "", ""))
        return Table(title, headers, rows, "")


def said(run: VerificationRun) -> str:
    """Return in one sentence what a run has looked at."""
    if run.state == RunState.QUEUED:
        return _("It waits for a worker.")
    due = next((check["title"] for check in run.checks if not check["verdict"]), "")
    if run.state == RunState.RUNNING:
        return _("Now: %(check)s.") % {"check": due} if due else _("It is being concluded.")
    return _("%(checks)s checks over %(tenants)s tenants looked at %(things)s things in %(time)s.") % {
        "checks": len(run.checks),
        "tenants": number(run.tenants),
        "things": number(run.looked_at),
        "time": duration(_took(run)),
    }


def _checks(run: VerificationRun) -> Table:
    due = next((check["name"] for check in run.checks if not check["verdict"]), "")
    is_running = run.state == RunState.RUNNING
    rows = [
        (
            chip(_("running"), "run") if is_running and check["name"] == due else chip(*_VERDICTS[check["verdict"]]),
            _prose(check["title"], check["error"] or check["proves"]),
            _amount(check),
        )
        for check in sorted(run.checks, key=lambda check: _ORDER.index(check["verdict"]))
    ]
    headers = [_("verdict"), _("what is proved"), _("looked at")]
    return Table(_("Checks"), headers, rows, _("No check is registered."), numeric=frozenset({2}))


def _amount(check: Mapping[str, Any]) -> Text:
    """Return how many things a check has looked at, and how long that took."""
    if not check["looked_at"]:
        return NOTHING
    things = f"{number(check['looked_at'])} {check['things']}"
    return two_lines(things, duration(timedelta(seconds=check["seconds"])))


def _prose(first: Text, second: Text) -> Text:
    """Return a cell whose second line is read to its end."""
    return format_html('<span class="fo-two fo-prose">{}<small>{}</small></span>', first, second)


def _where(row: Mapping[str, Any], pages: Mapping[str, str]) -> Text:
    page = pages.get(row["table"])
    try:
        key = UUID(row["row"])
    except ValueError:
        return row["row"] or NOTHING
    return link(record_url(page, key), short_id(key)) if page else short_id(key)


def _tenant(tenant_id: str | None, slugs: Mapping[UUID, str]) -> Text:
    if tenant_id is None:
        return format_html('<span class="fo-quiet">{}</span>', _("installation"))
    return chip(slugs[UUID(tenant_id)]) if UUID(tenant_id) in slugs else short_id(tenant_id)


def _count(run: VerificationRun, verdict: str) -> int:
    return sum(check["verdict"] == verdict for check in run.checks)


def _took(run: VerificationRun) -> timedelta | None:
    if run.started_at is None:
        return None
    return (run.finished_at or clock.now()) - run.started_at
