"""Whose names and addresses the logs have sealed, and how they are erased."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.audit.admin.logs import log_chip
from apps.audit.models import AuditEntry, AuditSubjectKey
from apps.audit.opening import latest_label
from apps.audit.services import erase_subject
from apps.core.actor import Actor
from apps.core.admin import (
    Outcome,
    ServiceAction,
    StaffModelAdmin,
    Stat,
    TenantFilter,
    about_url,
    changelist_url,
    chip,
    column,
    moment,
    number,
    one_of,
    short_id,
)
from apps.core.admin.panels import Text
from apps.core.db.counting import AT_MOST, count_bounded

ERASED_NOW = Outcome("%(count)s person erased from a log", "%(count)s persons erased from their logs")
ERASED_BEFORE = Outcome("%(count)s was erased before", "%(count)s were erased before")


def _erase(key: AuditSubjectKey, actor: Actor, now: datetime, reason: str) -> Outcome:
    is_erased = erase_subject(subject=key.subject, reason=reason, actor=actor, now=now)
    return ERASED_NOW if is_erased else ERASED_BEFORE


def _foretell(keys: Sequence[AuditSubjectKey]) -> list[Text]:
    told: list[Text] = [
        _("%(name)s in the log of %(log)s: %(count)s entries as the actor lose name and address.")
        % {
            "name": latest_label(key) or key.subject,
            "log": getattr(key, "tenant_slug", "") or _("the installation"),
            "count": _bounded(_acted(key)),
        }
        for key in keys
    ]
    return [
        *told,
        _("Erased as well: what any entry of that log says of them, such as the name that they were given."),
        _("Not erased: ids, what was done, when and to what, and reasons. Every hash and proof still verifies."),
        _("Not erased: the user and membership themselves, sessions, orders, jobs and events, and other logs."),
        _("Not erased: exports and copies made before. Backups made before hold the key until they are deleted."),
        _("Not prevented: what they do from now on is named again, under a new key."),
    ]


def _acted(key: AuditSubjectKey) -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(tenant_id=key.tenant_id, actor_id=key.subject)


def _bounded(rows: QuerySet[Any]) -> str:
    count = count_bounded(rows)
    return _("more than %(count)s") % {"count": number(AT_MOST)} if count > AT_MOST else number(count)


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
    list_display = ("person", "log", "state", "since", "erased")
    list_filter = (TenantFilter, STATE_FILTER)
    ordering = ("-created_at", "-id")
    search_fields = ("subject",)
    search_ids = ("id", "subject")
    search_help_text = gettext_lazy("Id of a user or an API key, or a part of it")
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

    @column(gettext_lazy("person"))
    def person(self, key: AuditSubjectKey) -> str:
        return short_id(key.subject)

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

    def headline(self, key: AuditSubjectKey) -> str:
        return latest_label(key) or str(key.subject)

    def status(self, key: AuditSubjectKey) -> str:
        return self.state(key)

    def stats(self, key: AuditSubjectKey) -> Sequence[Stat]:
        return (
            Stat(_("Entries as the actor"), _bounded(_acted(key)), _("in this log")),
            Stat(_("Named since"), moment(key.created_at)),
            Stat(_("Erased"), moment(key.erased_at)),
        )

    def related_links(self, key: AuditSubjectKey) -> Sequence[tuple[str, str]]:
        return [
            (_("Everything that they did"), about_url("audit.auditentry", key, key.subject)),
            (_("Their keys in every log"), changelist_url("audit.auditsubjectkey", q=key.subject)),
        ]
