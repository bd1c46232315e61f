"""Whose names and addresses the logs have sealed, and how they are erased."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.audit.admin.logs import log_chip
from apps.audit.models import AuditEntry, AuditSubjectKey
from apps.audit.opening import latest_acts, open_entries
from apps.audit.services import erase_subject, visitors_of
from apps.core.actor import Actor
from apps.core.admin import (
    NOTHING,
    Notice,
    Outcome,
    Panel,
    ServiceAction,
    StaffModelAdmin,
    Stat,
    Table,
    TenantFilter,
    about_url,
    changelist_url,
    chip,
    column,
    exact,
    link,
    moment,
    number,
    one_of,
    record_url,
    short_id,
    target_link,
    two_lines,
)
from apps.core.admin.panels import Text
from apps.core.db.counting import AT_MOST, count_bounded

_LATEST = 10
ERASED_NOW = Outcome("%(count)s person erased from a log", "%(count)s persons erased from their logs")
ERASED_BEFORE = Outcome("%(count)s was erased before", "%(count)s were erased before")


def _erase(key: AuditSubjectKey, actor: Actor, now: datetime, reason: str) -> Outcome:
    is_erased = erase_subject(subject=key.subject, reason=reason, actor=actor, now=now)
    return ERASED_NOW if is_erased else ERASED_BEFORE


def _foretell(keys: Sequence[Any]) -> list[Text]:
    acted = {key.pk: count_bounded(_acted(key)) for key in keys}
    also = _("Erased as well: what any entry of that log says of them, such as the name that they were given.")
    alone = _("Erased: what entries of others in that log say of them, such as the name that they were given.")
    return [
        *(_loss(key, acted[key.pk]) for key in keys),
        also if any(acted.values()) else alone,
        _("Not erased: ids, what was done, when and to what, and reasons. Every hash and proof still verifies."),
        _("Not erased: the user and membership themselves, sessions, orders, jobs and events, and other logs."),
        _("Not erased: exports and copies made before. Backups made before hold the key until they are deleted."),
        _("Not prevented: what they do from now on is named again, under a new key."),
    ]


def _loss(key: Any, acted: int) -> Text:
    """Say what a person's key takes along, in the log that it is of."""
    whose = {"name": key.name or key.subject, "log": key.tenant_slug or _("the installation")}
    if not acted:
        return _("%(name)s in the log of %(log)s: they did nothing there themselves.") % whose
    text = ngettext(
        "%(name)s in the log of %(log)s: %(count)s entry as the actor loses name and address.",
        "%(name)s in the log of %(log)s: %(count)s entries as the actor lose name and address.",
        acted,
    )
    return text % {**whose, "count": _told(acted)}


def _acted(key: AuditSubjectKey) -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(tenant_id=key.tenant_id, actor_id=key.subject)


def _about(key: AuditSubjectKey) -> QuerySet[AuditEntry]:
    """Return what was done to a person, by others or themselves."""
    return AuditEntry.objects.filter(tenant_id=key.tenant_id, target_id=str(key.subject))


def _told(count: int) -> str:
    return _("more than %(count)s") % {"count": number(AT_MOST)} if count > AT_MOST else number(count)


def _did(key: AuditSubjectKey) -> Table:
    """Return what a person did last, in the log of their key."""
    rows = [
        [
            exact(entry.at),
            link(record_url("audit.auditentry", entry.pk), entry.action),
            target_link(entry.target_type, entry.target_id),
        ]
        for entry in _acted(key).order_by("-at", "-id")[:_LATEST]
    ]
    headers = [_("when"), _("what they did"), _("to what")]
    empty = _("They did nothing in this log themselves; entries of others name them.")
    return Table(
        _("What they did last"),
        headers,
        rows,
        empty,
        more_url=about_url("audit.auditentry", key, key.subject),
        more_label=_("Everything"),
    )


def _was_done(key: AuditSubjectKey) -> Table:
    """Return what was done to a person last, and by whom."""
    rows = [
        [
            exact(opened.entry.at),
            link(record_url("audit.auditentry", opened.entry.pk), opened.entry.action),
            opened.label,
            ", ".join(list(opened.changes)[:4]) or NOTHING,
        ]
        for opened in open_entries(_about(key).order_by("-at", "-id")[:_LATEST])
    ]
    headers = [_("when"), _("what was done"), _("by whom"), _("changed")]
    return Table(_("What was done to them last"), headers, rows, _("No entry of this log is about them."))


STATE_FILTER = one_of(
    "state",
    gettext_lazy("state"),
    {
        "sealed": (gettext_lazy("Sealed"), Q(erased_at=None)),
        "erased": (gettext_lazy("Erased"), Q(erased_at__isnull=False)),
    },
)


@admin.register(AuditSubjectKey)
class AuditSubjectKeyAdmin(StaffModelAdmin):
    plural = gettext_lazy("people in the audit log")
    list_display = ("person", "log", "state", "since", "last_act", "erased")
    list_filter = (TenantFilter, STATE_FILTER)
    ordering = ("-created_at", "-id")
    search_fields = ("subject",)
    search_ids = ("id", "subject")
    search_help_text = gettext_lazy("Name or id of a user or an API key, or a part of it")
    never_read = ("sealed_key",)
    empty_hint = gettext_lazy("Whoever is first named in a log gets a key here, under which that is sealed.")
    facts = ((gettext_lazy("Key"), ("subject", "created_at", "erased_at", "id")),)
    service_actions = (
        ServiceAction(
            name="erase",
            label=gettext_lazy("Erase"),
            icon="ink_eraser",
            run=_erase,
            confirm=gettext_lazy("The key of this person in this log is destroyed. Nobody can take that back."),
            foretell=_foretell,
            needs_reason=True,
            danger=True,
            permission="erase",
            sensitive=True,
            available=lambda key: key.erased_at is None,
        ),
    )

    def prepare_rows(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Attach to each key the name of its person: as they acted last, else as the user or API key is called now."""
        super().prepare_rows(request, rows)
        acts = latest_acts(rows)
        unnamed = {row.subject for row in rows if row.pk not in acts and row.erased_at is None}
        names = self.admin_site.names_of(unnamed) if unnamed else {}
        for row in rows:
            row.act = acts.get(row.pk)
            row.name = _name_of(row, names)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find people and API keys by the name that they have now, too: what the log calls them is sealed."""
        found, may_repeat = super().get_search_results(request, queryset, search_term)
        people = self.admin_site.who_is_named(search_term.strip()) if search_term.strip() else []
        return (queryset.filter(subject__in=people) if people else found), may_repeat

    def chosen(self, objects: Sequence[Any]) -> Table:
        """Return who is chosen, by name."""
        rows = [[two_lines(key.name, str(key.subject)), log_chip(key), moment(key.created_at)] for key in objects]
        return Table(_("Who is meant"), [_("person"), _("log"), _("named since")], rows, "")

    @column(gettext_lazy("person"))
    def person(self, key: Any) -> str:
        return two_lines(key.name, short_id(key.subject)) if key.name else short_id(key.subject)

    @column(gettext_lazy("last did"))
    def last_act(self, key: Any) -> str:
        return two_lines(key.act.entry.action, moment(key.act.entry.at)) if key.act else NOTHING

    @column(gettext_lazy("log"))
    def log(self, key: AuditSubjectKey) -> str:
        return log_chip(key)

    @column(gettext_lazy("state"))
    def state(self, key: AuditSubjectKey) -> str:
        return chip(_("erased"), "warn") if key.erased_at else chip(_("sealed"), "ok")

    @column(gettext_lazy("named since"))
    def since(self, key: AuditSubjectKey) -> str:
        return moment(key.created_at)

    @column(gettext_lazy("erased"))
    def erased(self, key: AuditSubjectKey) -> str:
        return moment(key.erased_at)

    def headline(self, key: Any) -> str:
        return key.name or str(key.subject)

    def subtitle(self, key: Any) -> Text:
        return str(key.subject) if key.name else ""

    def status(self, key: AuditSubjectKey) -> str:
        return self.state(key)

    def notice(self, key: AuditSubjectKey) -> Notice | None:
        """Say what an erasure has left."""
        if key.erased_at is None:
            return None
        text = _("What this log says of them up to then can be read by nobody; ids and what was done are still there.")
        return Notice(_("Erased"), text, tone="info")

    def stats(self, key: AuditSubjectKey) -> Sequence[Stat]:
        return (
            Stat(_("Entries as the actor"), _told(count_bounded(_acted(key))), _("in this log")),
            Stat(_("Entries about them"), _told(count_bounded(_about(key))), _("in this log")),
            Stat(_("Named since"), moment(key.created_at)),
            Stat(_("Erased"), moment(key.erased_at)),
        )

    def panels(self, request: HttpRequest, key: AuditSubjectKey) -> Sequence[Panel]:
        return [_did(key), _was_done(key)]

    def related_links(self, key: AuditSubjectKey) -> Sequence[tuple[str, str]]:
        return [
            (_("Everything that they did"), about_url("audit.auditentry", key, key.subject)),
            (_("Their keys in every log"), changelist_url("audit.auditsubjectkey", q=key.subject)),
        ]


def _name_of(key: Any, usernames: Mapping[UUID, str]) -> str:
    """Return how people call the person of a key; nothing, once that was erased."""
    if key.erased_at is not None:
        return ""
    if key.subject == visitors_of(key.created_at):
        return _("Visitors of %(day)s") % {"day": f"{key.created_at:%Y-%m-%d}"}
    return key.act.label if key.act else usernames.get(key.subject, "")
