"""Jobs and dead letters, as staff see them. Replay and discard are added by the back office, with their audit leaf."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core import clock
from apps.core.admin import (
    Facts,
    Notice,
    Panel,
    Source,
    StaffModelAdmin,
    Stat,
    Table,
    TenantFilter,
    TimeFilter,
    about_url,
    changelist_url,
    chip,
    column,
    due,
    duration,
    exact,
    moment,
    named_in,
    pretty,
    recent_values,
    request_url,
    status_chip,
    target_links,
    two_lines,
)
from apps.core.admin.panels import Tone
from apps.core.redaction import redact_text
from apps.jobs import selectors
from apps.jobs.admin import waiting
from apps.jobs.enums import ACTIVE_STATES, JobState
from apps.jobs.models import Job


class DeadOf(SimpleListFilter):
    """Dead jobs by what they died of, with how many there are of each kind: what has one cause is replayed together."""

    title = gettext_lazy("died of")
    parameter_name = "died"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the causes, the most frequent first."""
        causes = selectors.causes_of_death()
        return [(f"{cause.kind}:{cause.code}", f"{cause.kind}: {cause.code} ({cause.count:,})") for cause in causes]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """Return the jobs that died of the chosen cause."""
        kind, _colon, code = (self.value() or "").partition(":")
        return queryset.filter(state=JobState.DEAD, kind=kind, last_error_code=code) if kind else queryset


@admin.register(Job)
class JobAdmin(StaffModelAdmin):
    list_is_live = True
    not_in_list = ("payload", "last_traceback")
    list_display = ("job", "tenant", "status_value", "queue", "tries", "due", "ended", "error")
    list_filter = (
        TenantFilter,
        TimeFilter,
        "state",
        recent_values("kind", gettext_lazy("kind")),
        recent_values("queue", gettext_lazy("queue")),
        DeadOf,
    )
    search_fields = ("kind", "last_error_code", "unique_key", "request_id__exact")
    search_ids = ("id", "unique_key", "request_id")
    search_help_text = gettext_lazy("Kind, error, key, request id or id")
    empty_hint = gettext_lazy("Every piece of background work leaves a row here, such as each sync of a connection.")
    facts = (
        (gettext_lazy("Job"), ("kind", "queue", "priority", "unique_key", "lease_seconds", "time_limits", "id")),
        (gettext_lazy("Origin"), ("enqueued_by", "request_id", "traceparent", "releases")),
    )

    @column(gettext_lazy("job"))
    def job(self, job: Job) -> str:
        return job.kind

    @column(gettext_lazy("state"))
    def status_value(self, job: Job) -> str:
        return status_chip(job, "state")

    @column(gettext_lazy("attempts"))
    def tries(self, job: Job) -> str:
        return f"{job.attempts} / {job.max_attempts}"

    @column(gettext_lazy("due"))
    def due(self, job: Job) -> str:
        return due(job.run_at) if job.state == JobState.QUEUED else moment(job.run_at)

    @column(gettext_lazy("finished"))
    def ended(self, job: Job) -> str:
        return moment(job.finished_at)

    @column(gettext_lazy("last error"))
    def error(self, job: Job) -> str:
        return two_lines(redact_text(job.last_error_code), redact_text(job.last_error_message))

    @column(gettext_lazy("time limits"))
    def time_limits(self, job: Job) -> str:
        return _("interrupted after %(soft)s, ended after %(hard)s") % {
            "soft": duration(timedelta(seconds=job.soft_seconds)),
            "hard": duration(timedelta(seconds=job.hard_seconds)),
        }

    @column(gettext_lazy("enqueued by"))
    def enqueued_by(self, job: Job) -> str:
        return f"{job.actor.get('kind', '')} {job.actor.get('label', '')}".strip()

    @column(gettext_lazy("release"))
    def releases(self, job: Job) -> str:
        if job.run_release and job.run_release != job.release:
            return two_lines(job.run_release, _("enqueued under %(release)s") % {"release": job.release or "–"})
        return job.release

    def headline(self, job: Job) -> str:
        return job.kind

    def status(self, job: Job) -> str:
        return status_chip(job, "state")

    def subtitle(self, job: Job) -> str:
        return job.unique_key

    def notice(self, job: Job) -> Notice | None:
        """Say why a job is dead, why it is tried again, or why nobody has taken it."""
        if stuck := waiting.notice_of(job, now=clock.now()):
            return stuck
        if not job.last_error_code or job.state == JobState.SUCCEEDED:
            return None
        text = redact_text(job.last_error_message)
        if job.state == JobState.DEAD:
            remedy = _("Remove the cause, then replay it; or discard it with a reason if it is no longer wanted.")
            return Notice(_("Dead letter: %(code)s") % {"code": redact_text(job.last_error_code)}, text, remedy)
        if job.state == JobState.DISCARDED:
            return Notice(
                _("Discarded after: %(code)s") % {"code": redact_text(job.last_error_code)}, text, tone="info"
            )
        remedy = _("It is tried again by itself, at the time it is due.")
        return Notice(
            _("The last attempt failed: %(code)s") % {"code": redact_text(job.last_error_code)}, text, remedy, "warn"
        )

    def stats(self, job: Job) -> Sequence[Stat]:
        exhausted = job.attempts >= job.max_attempts and job.state == JobState.DEAD
        # A job is discarded some time after its attempts.
        ended = None if job.state == JobState.DISCARDED else job.finished_at
        waited = _("Waited") if job.attempts < 2 else _("Until the last attempt")
        return (
            Stat(_("Attempts"), f"{job.attempts} / {job.max_attempts}", tone="bad" if exhausted else "idle"),
            Stat(waited, duration(_span(job.created_at, job.started_at or (None if job.finished_at else clock.now())))),
            Stat(_("Last attempt took"), duration(_span(job.started_at, ended))),
            Stat(_("Due"), self.due(job)) if job.finished_at is None else Stat(_("Ended"), moment(job.finished_at)),
        )

    def panels(self, request: HttpRequest, job: Job) -> Sequence[Panel]:
        panels: list[Panel] = [_timeline(job)]
        if job.state == JobState.LEASED:
            items = [
                (_("worker"), job.leased_by),
                (_("until"), moment(job.leased_until)),
                (_("last heartbeat"), moment(job.heartbeat_at)),
                (_("fencing token"), str(job.fence)),
            ]
            panels.append(Facts(_("Lease"), items))
        if job.last_traceback:
            panels.append(Source(_("Traceback of the last failure (redacted)"), redact_text(job.last_traceback)))
        return [*panels, Source(_("Payload (redacted)"), pretty(job.payload))]

    def is_moving(self, job: Job) -> bool:
        """Keep the page of a queued or running job current."""
        return job.state in ACTIVE_STATES

    def related_links(self, job: Job) -> Sequence[tuple[str, str]]:
        links = target_links(named_in(job.payload))
        links += [
            (_("Queue"), changelist_url("jobs.queue", q=job.queue)),
            (_("Audit log"), about_url("audit.auditentry", job)),
        ]
        if job.unique_key:
            links.append((_("Jobs with the same key"), about_url("jobs.job", job, job.unique_key)))
        if job.request_id:
            links.append((_("Everything of this request"), request_url(job.request_id, job.created_at)))
        return links


def _span(start: datetime | None, end: datetime | None) -> timedelta | None:
    return None if start is None or end is None or end < start else end - start


def _timeline(job: Job) -> Table:
    held: Tone = "run" if job.state == JobState.LEASED else "info"
    leased = (
        _("attempt %(number)s leased") % {"number": job.attempts} if job.attempts else _("leased before the replay")
    )
    steps = [
        (job.created_at, chip(_("enqueued"), "info"), ""),
        (job.started_at, chip(leased, held), job.leased_by),
        (job.finished_at, status_chip(job, "state"), redact_text(job.last_error_code)),
    ]
    if job.heartbeat_at != job.started_at:  # with which a lease begins
        steps.append((job.heartbeat_at, chip(_("last heartbeat"), held), ""))
    if job.state == JobState.QUEUED:
        text = redact_text(job.last_error_message)
        steps.append((job.run_at, chip(_("due") if not job.attempts else _("next attempt"), "warn"), text))
    known = sorted(((at, what, note) for at, what, note in steps if at is not None), key=lambda step: step[0])
    rows = [[exact(at), what, note] for at, what, note in known]
    return Table(_("Timeline"), [_("when"), _("what"), _("detail")], rows, empty="")
