"""Queues: what waits, what runs, and how much may."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core import clock
from apps.core.admin import (
    Notice,
    Panel,
    StaffModelAdmin,
    Stat,
    Table,
    about_url,
    changelist_url,
    chip,
    column,
    duration,
    moment,
    number,
    progress,
)
from apps.jobs import selectors
from apps.jobs.enums import JobState
from apps.jobs.models import Queue

_NOTHING = selectors.QueueState("", 0, 0, 0, timedelta())


@admin.register(Queue)
class QueueAdmin(StaffModelAdmin):
    list_display = ("title", "state", "running", "per_tenant", "due", "oldest", "later")
    ordering = ("name", "pk")
    search_fields = ("name",)
    empty_hint = gettext_lazy("Beat writes the queues here when it starts; start it with “make run”.")
    facts = ((gettext_lazy("Queue"), ("name", "max_running", "max_running_per_tenant", "changed_at")),)

    def prepare_rows(self, request: HttpRequest, rows: Sequence[Queue]) -> None:
        states = {state.queue: state for state in selectors.queue_states(now=clock.now())}
        for queue in rows:
            queue.figures = states.get(queue.name, _NOTHING)  # type: ignore[attr-defined]

    @column(gettext_lazy("queue"))
    def title(self, queue: Queue) -> str:
        return queue.name

    @column(gettext_lazy("state"))
    def state(self, queue: Queue) -> str:
        figures = _figures(queue)
        if queue.max_running == 0:
            return chip(_("Held"), "bad")
        if queue.max_running is not None and figures.leased >= queue.max_running and figures.due:
            return chip(_("At its bound"), "warn")
        return chip(_("Working"), "run") if figures.leased else chip(_("Idle"), "ok")

    @column(gettext_lazy("running"))
    def running(self, queue: Queue) -> str:
        leased = _figures(queue).leased
        if not queue.max_running:
            return number(leased)
        share = min(Decimal(leased) / queue.max_running, Decimal(1))
        return progress(share, f"{leased:,} / {queue.max_running:,}")

    @column(gettext_lazy("at once of one tenant"))
    def per_tenant(self, queue: Queue) -> str:
        bound = queue.max_running_per_tenant
        return _("no bound") if bound is None else number(bound)

    @column(gettext_lazy("due"))
    def due(self, queue: Queue) -> str:
        return number(_figures(queue).due)

    @column(gettext_lazy("oldest waits"))
    def oldest(self, queue: Queue) -> str:
        figures = _figures(queue)
        return duration(figures.oldest_due) if figures.due else ""

    @column(gettext_lazy("for later"))
    def later(self, queue: Queue) -> str:
        return number(_figures(queue).scheduled)

    def headline(self, queue: Queue) -> str:
        return queue.name

    def status(self, queue: Queue) -> str:
        return self.state(queue)

    def notice(self, queue: Queue) -> Notice | None:
        """Say that a queue is held."""
        if queue.max_running != 0:
            return None
        text = _("Its jobs wait; those that run end by themselves.")
        return Notice(_("The queue is held"), text, _("Change its bounds to let it go on."), "warn")

    def stats(self, queue: Queue) -> Sequence[Stat]:
        bound = queue.max_running
        hint = _("no bound") if bound is None else _("of %(bound)s") % {"bound": number(bound)}
        jobs = changelist_url("jobs.job", queue=queue.name, state__exact="queued")
        return (
            Stat(_("Running"), number(_figures(queue).leased), hint=hint),
            Stat(_("Due"), self.due(queue), url=jobs),
            Stat(_("Oldest waits"), self.oldest(queue) or "–"),
            Stat(_("For later"), self.later(queue)),
        )

    def panels(self, request: HttpRequest, queue: Queue) -> Sequence[Panel]:
        """Show who holds the queue, and who waits for it."""
        shares = selectors.shares_of(queue.name, now=clock.now())
        slugs = self.admin_site.tenant_slugs({share.tenant_id for share in shares})
        rows = [
            [chip(slugs.get(share.tenant_id, "")), number(share.leased), number(share.due), moment(share.since)]
            for share in shares
        ]
        headers = [_("tenant"), _("running"), _("due"), _("oldest due since")]
        empty = _("Nothing runs and nothing is due.")
        return [Table(_("Tenants, those with most first"), headers, rows, empty=empty, numeric=frozenset({1, 2}))]

    def related_links(self, queue: Queue) -> Sequence[tuple[str, str]]:
        """Return the queue's jobs by what becomes of them, and who changed its bounds."""
        states = ((JobState.QUEUED, _("Queued")), (JobState.LEASED, _("Running")), (JobState.DEAD, _("Dead letters")))
        jobs = [(text, changelist_url("jobs.job", queue=queue.name, state__exact=state)) for state, text in states]
        return [*jobs, (_("Audit log"), about_url("audit.auditentry", queue))]

    def is_moving(self, queue: Queue) -> bool:
        return bool(_figures(queue).leased or _figures(queue).due)


def _figures(queue: Queue) -> selectors.QueueState:
    figures: selectors.QueueState = getattr(queue, "figures", _NOTHING)
    return figures
