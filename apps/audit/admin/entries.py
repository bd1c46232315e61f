"""The audit log, and the place of an entry in its tree."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.audit.admin.evidence import evidence_of
from apps.audit.admin.logs import LOG_FILTER, log_chip
from apps.audit.admin.proofs import Standing, proof_notice, proof_panels, proof_stat, standing_of
from apps.audit.models import AuditEntry
from apps.audit.opening import OpenedEntry, open_entries
from apps.core.admin import (
    NOTHING,
    Notice,
    Panel,
    Source,
    StaffModelAdmin,
    Stat,
    Table,
    TenantFilter,
    about_url,
    clock_time,
    column,
    exact,
    moment,
    named_in,
    number,
    one_of,
    pretty,
    record_url,
    request_url,
    target_link,
    target_links,
    times_by,
    two_lines,
)

_EVIDENCE = "audit_auditentry_evidence"
_ACTORS = {
    "user": gettext_lazy("Users"),
    "api_key": gettext_lazy("API keys"),
    "staff": gettext_lazy("Staff"),
    "system": gettext_lazy("The platform"),
}
ACTOR_FILTER = one_of(
    "actor", gettext_lazy("actor"), {kind: (text, Q(actor__kind=kind)) for kind, text in _ACTORS.items()}
)


@admin.register(AuditEntry)
class AuditEntryAdmin(StaffModelAdmin):
    plural = gettext_lazy("audit log")
    list_display = ("action", "log", "sequence", "who", "target", "changed", "when")
    list_filter = (TenantFilter, times_by("at"), LOG_FILTER, ACTOR_FILTER)
    tenant_ordering = ("-at", "-id")
    search_fields = ("action__startswith", "request_id__exact")
    search_ids = ("id", "target_id", "request_id", "actor_id")
    search_help_text = gettext_lazy("Beginning of an action, request id, or an id")
    empty_hint = gettext_lazy("Every change leaves an entry here, in the same transaction.")
    facts = (
        (gettext_lazy("Entry"), ("action", "target", "happened", "schema_version", "position", "id")),
        (gettext_lazy("Origin"), ("ip", "request_id", "traceparent")),
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.evidence_view)
        return [path("<uuid:key>/evidence/", view, name=_EVIDENCE), *super().get_urls()]

    def evidence_view(self, request: HttpRequest, key: UUID) -> HttpResponse:
        """Hand out an entry with all that proves it."""
        entry = self.get_object(request, str(key))
        if not self.has_view_permission(request, entry):
            raise PermissionDenied
        if entry is None:
            raise Http404
        standing = self._standing(entry)
        if standing.proof is not None:
            return evidence_of(_opened(entry), standing)
        messages.warning(request, standing.wrong or _("No checkpoint covers the entry yet: come again in a second."))
        return HttpResponseRedirect(record_url("audit.auditentry", key))

    def prepare_rows(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        super().prepare_rows(request, rows)
        for opened in open_entries(rows):
            opened.entry.__dict__["opened"] = opened  # what the columns and panels show

    @column(gettext_lazy("log"))
    def log(self, entry: AuditEntry) -> str:
        return log_chip(entry)

    @column(gettext_lazy("actor"))
    def who(self, entry: AuditEntry) -> str:
        return two_lines(_opened(entry).label, str(entry.actor.get("kind", "")).replace("_", " "))

    @column(gettext_lazy("target"))
    def target(self, entry: AuditEntry) -> str:
        return target_link(entry.target_type, entry.target_id)

    @column(gettext_lazy("changed"))
    def changed(self, entry: AuditEntry) -> str:
        return ", ".join(list(_opened(entry).changes)[:4]) or NOTHING

    @column(gettext_lazy("time (UTC)"))
    def when(self, entry: AuditEntry) -> str:
        return clock_time(entry.at)

    @column(gettext_lazy("at"))
    def happened(self, entry: AuditEntry) -> str:
        return exact(entry.at)

    @column(gettext_lazy("IP address"))
    def ip(self, entry: AuditEntry) -> str:
        return str(_opened(entry).actor.get("ip", "")) or NOTHING

    def headline(self, entry: AuditEntry) -> str:
        return entry.action

    def status(self, entry: AuditEntry) -> str:
        return self.log(entry)

    def stats(self, entry: AuditEntry) -> Sequence[Stat]:
        return (
            Stat(_("Sequence in its log"), number(entry.sequence), "" if entry.sequence else _("being numbered")),
            Stat(_("Actor"), _opened(entry).label, str(entry.actor.get("kind", "")).replace("_", " ")),
            Stat(_("When"), moment(entry.at), f"{entry.at:%Y-%m-%d %H:%M:%S} UTC"),
            proof_stat(self._standing(entry)),
        )

    def notice(self, entry: AuditEntry) -> Notice | None:
        return proof_notice(self._standing(entry))

    def is_moving(self, entry: AuditEntry) -> bool:
        return self._standing(entry).is_waiting

    def _standing(self, entry: AuditEntry) -> Standing:
        """Return the entry's place in its tree, which is asked for once a page."""
        if not hasattr(entry, "standing"):
            entry.standing = standing_of(entry)  # type: ignore[attr-defined]  # the object of this page alone
        standing: Standing = entry.standing  # type: ignore[attr-defined]
        return standing

    def panels(self, request: HttpRequest, entry: AuditEntry) -> Sequence[Panel]:
        sealed = [Source(_("What it says of people, as sealed"), pretty(entry.personal))] if entry.personal else []
        return [
            _changes_table(_opened(entry).changes),
            Source(_("Actor"), pretty(_opened(entry).actor)),
            *sealed,
            Source(_("Leaf hash (SHA-256)"), bytes(entry.leaf_hash).hex()),
            *proof_panels(self._standing(entry)),
        ]

    def related_links(self, entry: AuditEntry) -> Sequence[tuple[str, str]]:
        subjects = dict.fromkeys(part["subject"] for part in entry.personal.values())
        named = [(entry.target_type, entry.target_id), *named_in(_opened(entry).changes), *named_in(entry.actor)]
        links = [(_("Download evidence (ZIP)"), reverse(f"admin:{_EVIDENCE}", args=[entry.pk]))]
        links += target_links(named)
        links.append((_("Everything about this target"), about_url("audit.auditentry", entry, entry.target_id)))
        if entry.actor_id:
            links.append((_("Everything by this actor"), about_url("audit.auditentry", entry, entry.actor_id)))
        if entry.request_id:
            links.append((_("Everything of this request"), request_url(entry.request_id, entry.at)))
        links += [(_("Whose name is sealed here"), about_url("audit.auditsubjectkey", entry, key)) for key in subjects]
        return links


def _opened(entry: AuditEntry) -> OpenedEntry:
    opened: OpenedEntry = entry.__dict__["opened"]
    return opened


def _changes_table(changes: dict[str, Any]) -> Table:
    rows = []
    for name, value in changes.items():
        before, after = value if isinstance(value, list) and len(value) == 2 else ("", value)
        rows.append([name, _text(before), _text(after)])
    return Table(_("Changes"), [_("field"), _("before"), _("after")], rows, empty=_("This action changes no field."))


def _text(value: Any) -> str:
    if value in (None, ""):
        return NOTHING
    return value if isinstance(value, str) else pretty(value)
