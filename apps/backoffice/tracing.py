"""Everything of one request, in order: the entries, events, jobs and deliveries that carry its id."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.audit.models import AuditEntry
from apps.audit.opening import OpenedEntry, open_entries
from apps.core.admin import Happening, Lane, Stat, duration, merged, moment, number, record_url, target_links
from apps.core.admin.display import TONES
from apps.core.admin.panels import Tone
from apps.core.ids import lowest_id
from apps.core.redaction import redact_text
from apps.core.scope import of_reach
from apps.jobs.enums import JobState
from apps.jobs.models import Job
from apps.orders.admin.timeline import AUDIT, JOB
from apps.outbox.models import OutboxEvent
from apps.webhooks.admin import display
from apps.webhooks.admin.elsewhere import WEBHOOK
from apps.webhooks.enums import DeliveryStatus
from apps.webhooks.models import Delivery

EVENT = Lane(key="event", name=gettext_lazy("Events"), icon="outbox")
AT_MOST = 200
_LINKS = 8
# A client may give many requests the same id: whoever comes from a record means those of its time.
_AROUND = timedelta(days=1)
_Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Trace:
    """What carries a request's id, the oldest first; of each kind the newest alone, where they are very many."""

    entries: Sequence[OpenedEntry]
    events: Sequence[OutboxEvent]
    jobs: Sequence[Job]
    deliveries: Sequence[Delivery]

    @property
    def is_cut(self) -> bool:
        """Whether there may be more of it."""
        return AT_MOST in (len(self.entries), len(self.events), len(self.jobs), len(self.deliveries))

    def happenings(self) -> Iterator[Happening]:
        """Yield what happened in the request, and because of it."""
        yield from map(_entry, self.entries)
        yield from map(_event, self.events)
        yield from map(_job, self.jobs)
        yield from map(_delivery, self.deliveries)


def page(request: HttpRequest) -> HttpResponse:
    """Show a request, or ask for its id."""
    if not request.user.has_perm("audit.view_auditentry"):
        raise PermissionDenied
    asked = request.GET.get("id", "").strip()
    span = _span(request.GET.get("at", ""))
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Request"),
        "asked": asked,
        "span": span,
        "page_url": reverse("admin:request_trace"),
    }
    if asked:
        trace = _trace(request, asked, span)
        context["cut"] = AT_MOST if trace.is_cut else 0
        context["story"] = merged(_("What happened"), trace.happenings(), empty="")
        context["stats"] = _stats(trace)
        context["related"] = _touched(trace)
    return TemplateResponse(request, "backoffice/request.html", context)


def _span(about: str) -> _Span | None:
    """Return from when until when a request is looked for; None for ever."""
    with suppress(ValueError, OverflowError):  # none was named, or one of a year that there is not
        at = datetime.fromisoformat(about).astimezone(UTC)
        return at - _AROUND, at + _AROUND
    return None


def _trace(request: HttpRequest, asked: str, span: _Span | None) -> Trace:
    """Return what carries the id, of what the user may see."""

    def carriers(model: type[Model], *unread: str) -> list[Any]:
        if not request.user.has_perm(f"{model._meta.app_label}.view_{model._meta.model_name}"):
            return []
        found = of_reach(model._default_manager.filter(request_id=asked))
        if span is not None:
            found = found.filter(id__gte=lowest_id(span[0]), id__lt=lowest_id(span[1]))
        return _newest(found.defer(*unread))

    events = carriers(OutboxEvent)
    deliveries: list[Delivery] = []
    if events and request.user.has_perm("webhooks.view_delivery"):
        tenants, ids = {event.tenant_id for event in events}, [event.pk for event in events]
        told = Delivery.objects.filter(tenant_id__in=tenants, event_id__in=ids)
        deliveries = _newest(told.select_related("endpoint").defer("body"))
    jobs = carriers(Job, "payload", "last_traceback")
    return Trace(open_entries(carriers(AuditEntry)), events, jobs, deliveries)


def _newest(rows: QuerySet[Any]) -> list[Any]:
    return list(rows.order_by("-id")[:AT_MOST])[::-1]


def _stats(trace: Trace) -> list[Stat]:
    first = min((item.at for item in trace.happenings()), default=None)
    last = max((item.at for item in trace.happenings()), default=None)
    dead = sum(job.state == JobState.DEAD for job in trace.jobs)
    who = next((row.label for row in trace.entries), "")
    return [
        Stat(_("Came"), moment(first), f"{first:%Y-%m-%d %H:%M:%S} UTC" if first else ""),
        Stat(
            _("Of"),
            who or "–",
            str(trace.entries[0].entry.actor.get("kind", "")).replace("_", " ") if trace.entries else "",
        ),
        Stat(_("From first to last"), duration(last - first) if first and last else "–"),
        Stat(_("Changes"), number(len(trace.entries)), _("entries of the audit log")),
        Stat(
            _("Jobs"), number(len(trace.jobs)), _("%(n)s dead") % {"n": dead} if dead else "", "bad" if dead else "idle"
        ),
        _arrived(trace),
    ]


def _arrived(trace: Trace) -> Stat:
    """Return how many deliveries there are, and what holds the others back from having arrived."""
    found = Counter(item.status for item in trace.deliveries)
    lost = found[DeliveryStatus.FAILED] + found[DeliveryStatus.DISCARDED]
    waiting = found[DeliveryStatus.PENDING]
    tone: Tone = "idle"
    hint = _("of %(n)s events") % {"n": number(len(trace.events))}
    if lost:
        hint, tone = _("%(n)s not arrived") % {"n": number(lost)}, "bad"
    elif waiting:
        hint, tone = _("%(n)s waiting") % {"n": number(waiting)}, "warn"
    return Stat(_("Deliveries"), number(len(trace.deliveries)), hint, tone)


def _touched(trace: Trace) -> list[tuple[str, str]]:
    """Return the pages of what was changed, each with the end of its id."""
    found = dict.fromkeys((row.entry.target_type, row.entry.target_id) for row in trace.entries)
    links = [(f"{label} {key[-8:]}", url) for name, key in found for label, url in target_links([(name, key)])]
    return links[:_LINKS]


def _entry(row: OpenedEntry) -> Happening:
    entry = row.entry
    detail = " · ".join(
        part for part in (row.label, entry.target_type.replace("_", " "), ", ".join(row.changes)) if part
    )
    page = record_url("audit.auditentry", entry.pk)
    return Happening(key=f"leaf-{entry.pk}", at=entry.at, lane=AUDIT, title=entry.action, detail=detail, url=page)


def _event(event: OutboxEvent) -> Happening:
    lag = None if event.relayed_at is None else event.relayed_at - event.occurred_at
    return Happening(
        key=f"event-{event.pk}",
        at=event.occurred_at,
        lane=EVENT,
        title=event.type,
        detail=_("relayed after %(time)s") % {"time": duration(lag)} if lag is not None else _("waits for the relay"),
        tone="idle" if lag is not None else "info",
        url=record_url("outbox.outboxevent", event.pk),
        rank=1,
    )


def _job(job: Job) -> Happening:
    tries = _("%(state)s, attempt %(attempt)s of %(most)s") % {
        "state": job.get_state_display(),
        "attempt": job.attempts,
        "most": job.max_attempts,
    }
    why = redact_text(f"{job.last_error_code}: {job.last_error_message}") if job.last_error_code else ""
    return Happening(
        key=f"job-{job.pk}",
        at=job.started_at or job.created_at,
        lane=JOB,
        title=job.kind,
        detail=" · ".join(part for part in (tries, why if job.state != JobState.SUCCEEDED else "") if part),
        tone=TONES.get(job.state, "idle"),
        url=record_url("jobs.job", job.pk),
        rank=2,
    )


def _delivery(delivery: Delivery) -> Happening:
    return Happening(
        key=f"delivery-{delivery.pk}",
        at=delivery.finished_at or delivery.created_at,
        lane=WEBHOOK,
        title=_("%(event)s to %(where)s")
        % {
            "event": delivery.event_type,
            "where": display.short_url(delivery.endpoint.url),
        },
        detail=delivery.get_status_display(),
        tone=TONES.get(delivery.status, "idle"),
        url=record_url("webhooks.delivery", delivery.pk),
        rank=3,
    )
