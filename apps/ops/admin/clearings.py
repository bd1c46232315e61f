"""Clearings: many dead letters replayed or discarded in the background, and how far that is."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.utils.translation import gettext_noop as message

from apps.core import clock
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
    changelist_url,
    chip,
    column,
    duration,
    moment,
    number,
    progress,
    status_chip,
    tag,
)
from apps.core.admin.panels import Tone
from apps.core.admin.times import SINCE, UNTIL
from apps.jobs.enums import JobState
from apps.jobs.selectors import DeadLetters
from apps.ops.admin.asking import described
from apps.ops.enums import OPEN_CLEARINGS, ClearingAction, ClearingState
from apps.ops.models import Clearing
from apps.ops.services import stop_clearing

_TONES: Mapping[str, Tone] = {"done": "ok", "stopped": "warn"}
STOPPED = Outcome(message("%(count)s clearing stopped"), message("%(count)s clearings stopped"))


def _stop(clearing: Clearing, actor: Actor, now: datetime, _reason: str) -> Outcome:
    stop_clearing(clearing_id=clearing.pk, actor=actor, now=now)
    return STOPPED


@admin.register(Clearing)
class ClearingAdmin(StaffModelAdmin):
    list_is_live = True
    list_display = ("what", "status_value", "how_far", "left", "asked", "took", "by")
    list_filter = ("state", "action")
    empty_hint = gettext_lazy("Filter the jobs for dead ones: all that the list then shows are replayed at once.")
    facts = (
        (gettext_lazy("Clearing"), ("by", "reason", "requested_at", "worked_at", "finished_at", "id")),
        (gettext_lazy("Dead letters"), ("of_tenant", "of_kind", "of_queue", "of_error")),
    )
    service_actions = (
        ServiceAction(
            name="stop",
            label=gettext_lazy("Stop"),
            icon="stop_circle",
            run=_stop,
            confirm=gettext_lazy("What is done stays done; the dead letters that are left stay as they are."),
            danger=True,
            available=lambda clearing: clearing.state in OPEN_CLEARINGS,
        ),
    )

    def prepare_rows(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Attach to each clearing the slug of the tenant that it is about, if it is about one."""
        tenants = {UUID(row.meant["tenant_id"]) for row in rows if "tenant_id" in row.meant}
        slugs = self.admin_site.tenant_slugs(tenants) if tenants else {}
        for row in rows:
            row.about = slugs.get(UUID(row.meant["tenant_id"]), "") if "tenant_id" in row.meant else ""

    @column(gettext_lazy("clearing"))
    def what(self, clearing: Any) -> str:
        return f"{clearing.get_action_display()}: {self._described(clearing)}"

    @column(gettext_lazy("state"))
    def status_value(self, clearing: Clearing) -> str:
        return status_chip(clearing, "state", **_TONES)

    @column(gettext_lazy("done"))
    def how_far(self, clearing: Clearing) -> str:
        share = min(Decimal(_seen(clearing)) / max(clearing.total, 1), Decimal(1))
        return progress(share, f"{number(clearing.cleared)} / {number(clearing.total)}")

    @column(gettext_lazy("left as they are"))
    def left(self, clearing: Clearing) -> str:
        return chip(number(clearing.left_alone), "warn") if clearing.left_alone else NOTHING

    @column(gettext_lazy("asked for"))
    def asked(self, clearing: Clearing) -> str:
        return moment(clearing.requested_at)

    @column(gettext_lazy("took"))
    def took(self, clearing: Clearing) -> str:
        return duration(_took(clearing))

    @column(gettext_lazy("asked for by"))
    def by(self, clearing: Clearing) -> str:
        return str(clearing.requested_by.get("label", ""))

    @column(gettext_lazy("tenant"))
    def of_tenant(self, clearing: Any) -> str:
        return chip(clearing.about) if clearing.about else _("every tenant")

    @column(gettext_lazy("kind"))
    def of_kind(self, clearing: Clearing) -> str:
        return str(clearing.meant.get("kind", _("every kind")))

    @column(gettext_lazy("queue"))
    def of_queue(self, clearing: Clearing) -> str:
        return str(clearing.meant.get("queue", _("every queue")))

    @column(gettext_lazy("died of"))
    def of_error(self, clearing: Clearing) -> str:
        return tag(clearing.meant["code"]) if "code" in clearing.meant else _("whatever it was")

    def headline(self, clearing: Clearing) -> str:
        letters = ngettext("%(n)s dead letter", "%(n)s dead letters", clearing.total) % {"n": number(clearing.total)}
        return f"{clearing.get_action_display()}: {letters}"

    def subtitle(self, clearing: Clearing) -> str:
        return self._described(clearing)

    def status(self, clearing: Clearing) -> str:
        return self.status_value(clearing)

    def notice(self, clearing: Clearing) -> Notice | None:
        """Say how far it is."""
        if clearing.state == ClearingState.QUEUED:
            return Notice(_("It waits for a worker"), _("It begins within seconds."), tone="info")
        if clearing.state == ClearingState.RUNNING:
            return Notice(_("Under way"), self.how_far(clearing), _("You may leave this page."), "info")
        if clearing.state == ClearingState.STOPPED:
            return Notice(_("Stopped"), _("What was done stays done; the others are dead as before."), tone="warn")
        return None

    def stats(self, clearing: Clearing) -> Sequence[Stat]:
        is_replay = clearing.action == ClearingAction.REPLAY
        is_stopped = clearing.state == ClearingState.STOPPED
        left = clearing.left_alone
        return (
            Stat(_("Meant"), number(clearing.total), _("dead when it was asked for")),
            Stat(_("Queued again") if is_replay else _("Discarded"), number(clearing.cleared), tone="ok"),
            Stat(_("Left as they are"), number(left), tone="warn" if left else "idle"),
            Stat(_("Not reached") if is_stopped else _("To do"), number(_to_do(clearing))),
            Stat(_("Took"), duration(_took(clearing))),
        )

    def panels(self, request: HttpRequest, clearing: Clearing) -> Sequence[Panel]:
        rows = [
            [tag(code), number(count)] for code, count in sorted(clearing.refused.items(), key=lambda item: -item[1])
        ]
        headers = [_("why"), _("dead letters")]
        empty = _("None: whatever was taken was done.")
        return [Table(_("Left as they are"), headers, rows, empty, numeric=frozenset({1}))]

    def is_moving(self, clearing: Clearing) -> bool:
        return clearing.state in OPEN_CLEARINGS

    def related_links(self, clearing: Clearing) -> Sequence[tuple[str, str]]:
        action = "job.replayed" if clearing.action == ClearingAction.REPLAY else "job.discarded"
        filters: dict[str, str] = {"state__exact": JobState.DEAD, **_filters(clearing.meant)}
        return [
            (_("What of it is dead now"), changelist_url("jobs.job", **filters)),
            (_("Entries of the audit log"), changelist_url("audit.auditentry", q=action)),
        ]

    def _described(self, clearing: Any) -> str:
        return described(DeadLetters.from_json(clearing.meant), clearing.about)


def _filters(meant: Mapping[str, str]) -> dict[str, str]:
    """Return how a list of jobs is filtered for what is meant."""
    names = {"tenant": "tenant_id", "kind": "kind", "queue": "queue", SINCE: "enqueued_since", UNTIL: "enqueued_before"}
    found = {name: meant.get(key) for name, key in names.items()}
    if "code" in meant and "kind" in meant:
        found["died"] = f"{meant['kind']}:{meant['code']}"
    return {name: value for name, value in found.items() if value}


def _seen(clearing: Clearing) -> int:
    return clearing.cleared + clearing.left_alone


def _to_do(clearing: Clearing) -> int:
    return max(clearing.total - _seen(clearing), 0) if clearing.state != ClearingState.DONE else 0


def _took(clearing: Clearing) -> timedelta:
    return (clearing.finished_at or clock.now()) - clearing.requested_at
