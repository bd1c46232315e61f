"""An order's story: what happened to it, what the gate found, the work done for it, and the leaves it left."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.audit.models import AuditEntry
from apps.audit.opening import open_entries
from apps.core.admin import (
    Happening,
    Lane,
    contributed_happenings,
    duration,
    figure,
    merged,
    number,
    record_url,
    sentence,
)
from apps.core.admin.display import TONES
from apps.core.admin.panels import Timeline, Tone
from apps.core.ids import lowest_id
from apps.core.redaction import redact_text
from apps.incidents.models import Incident
from apps.jobs.enums import JobState
from apps.jobs.models import Job
from apps.orders import events
from apps.orders.admin import display
from apps.orders.admin.gate import checks_table
from apps.orders.enums import OrderStatus, Outcome
from apps.orders.models import Fill, Order, OrderEvent, RiskDecision
from apps.orders.services.alarms import ANOTHER_ORDER
from apps.orders.types import RESOLVE_ORDER

ORDER = Lane(key="order", name=gettext_lazy("Order"), icon="candlestick_chart")
GATE = Lane(key="gate", name=gettext_lazy("Risk gate"), icon="shield")
VENUE = Lane(key="venue", name=gettext_lazy("Venue"), icon="account_balance")
JOB = Lane(key="job", name=gettext_lazy("Jobs"), icon="bolt")
AUDIT = Lane(key="audit", name=gettext_lazy("Audit"), icon="verified_user")
INCIDENT = Lane(key="incident", name=gettext_lazy("Incidents"), icon="warning")

AT_MOST = 200
_JOBS_AFTER_THE_END = timedelta(hours=1)

EVENT_NAMES: Mapping[str, Promise] = {
    events.ORDER_DENIED: gettext_lazy("Denied"),
    events.ORDER_APPROVED: gettext_lazy("Approved"),
    events.ORDER_SUBMITTED: gettext_lazy("On its way to the venue"),
    events.ORDER_SUBMISSION_DEFERRED: gettext_lazy("Not taken by the venue yet"),
    events.ORDER_OUTCOME_UNKNOWN: gettext_lazy("The outcome is not known"),
    events.ORDER_LOST: gettext_lazy("Declared lost"),
    events.ORDER_ACCEPTED: gettext_lazy("Accepted by the venue"),
    events.ORDER_HELD: gettext_lazy("Held by the venue"),
    events.ORDER_PARTIALLY_FILLED: gettext_lazy("Partly filled"),
    events.ORDER_FILLED: gettext_lazy("Filled"),
    events.ORDER_CANCELED: gettext_lazy("Canceled"),
    events.ORDER_EXPIRED: gettext_lazy("Expired"),
    events.ORDER_REPLACED: gettext_lazy("Replaced"),
    events.ORDER_DONE_FOR_DAY: gettext_lazy("Done for the day"),
    events.ORDER_RESUMED: gettext_lazy("Goes on after a day's end"),
    events.ORDER_REJECTED: gettext_lazy("Rejected by the venue"),
    events.ORDER_CANCEL_REQUESTED: gettext_lazy("Cancel asked for"),
    events.ORDER_CANCEL_REFUSED: gettext_lazy("The venue refused to cancel"),
    events.ORDER_REPLACE_REQUESTED: gettext_lazy("Replacement asked for"),
    events.ORDER_REPLACE_REFUSED: gettext_lazy("The venue refused to replace"),
    events.ORDER_LATE_FILL_RECEIVED: gettext_lazy("Filled after its end"),
}
_STATUS_OF = {name: status for status, name in events.STATUS_EVENTS.items()} | {
    events.ORDER_RESUMED: OrderStatus.PARTIALLY_FILLED
}
_TONES: Mapping[str, Tone] = {
    events.ORDER_CANCEL_REQUESTED: "info",
    events.ORDER_REPLACE_REQUESTED: "info",
    events.ORDER_SUBMISSION_DEFERRED: "warn",
    events.ORDER_CANCEL_REFUSED: "warn",
    events.ORDER_REPLACE_REFUSED: "warn",
    events.ORDER_LATE_FILL_RECEIVED: "bad",
}
# Several things carry the very time of one request: the order first, then why, then what follows from it.
_RANKS = {ORDER.key: 0, GATE.key: 1, VENUE.key: 2, JOB.key: 3, INCIDENT.key: 4, AUDIT.key: 5}


def timeline_of(order: Order, fills: Sequence[Fill], incidents: Sequence[Incident]) -> Timeline:
    """Return everything that is known to have happened to an order."""
    rows = list(OrderEvent.objects.filter(tenant_id=order.tenant_id, order=order).order_by("sequence")[:AT_MOST])
    happenings = [
        *_events(rows),
        *_decisions(order),
        *_sends(order, rows),
        *_executions(fills),
        *_jobs(order),
        *_incidents(incidents),
        *_leaves(order),
        *contributed_happenings(order),
    ]
    return merged(_("What happened"), happenings, empty=_("Nothing has happened to this order yet."))


def _events(rows: Sequence[OrderEvent]) -> Iterator[Happening]:
    for row in rows:
        status = _STATUS_OF.get(row.type)
        yield Happening(
            key=f"event-{row.pk}",
            at=row.at,
            lane=ORDER,
            title=EVENT_NAMES.get(row.type, row.type),
            code=row.type,
            detail=" · ".join(_told(row)),
            tone=_TONES.get(row.type) or TONES.get(status or "", "idle"),
            rank=_RANKS[ORDER.key],
        )


def _told(row: OrderEvent) -> Iterator[str]:
    """Yield what is worth knowing of an event's data."""
    data, kind = row.data, row.type
    fill = data.get("fill")
    if fill:
        yield _("%(quantity)s at %(price)s") % {"quantity": fill.get("quantity"), "price": fill.get("price")}
        yield str(fill.get("venue_execution_id", ""))
    denial = data.get("denial")
    if denial and _STATUS_OF.get(kind) == OrderStatus.DENIED:
        yield sentence(denial.get("detail") or denial.get("code", ""))
    if data.get("venue_order_id") and kind in (events.ORDER_ACCEPTED, events.ORDER_HELD):
        yield _("known there as %(id)s") % {"id": data["venue_order_id"]}
    for name in ("reason", "venue_status"):
        if data.get(name):
            yield redact_text(str(data[name]))


def _decisions(order: Order) -> Iterator[Happening]:
    for row in RiskDecision.objects.filter(tenant_id=order.tenant_id, order=order).order_by("id")[:AT_MOST]:
        denied = row.outcome == Outcome.DENIED
        yield Happening(
            key=f"decision-{row.pk}",
            at=row.decided_at,
            lane=GATE,
            title=_("%(outcome)s by the risk gate") % {"outcome": row.get_outcome_display()},
            code=row.code,
            detail=sentence(row.detail),
            tone="warn" if denied else "ok",
            url=record_url("orders.riskdecision", row.pk),
            rank=_RANKS[GATE.key],
            more=checks_table(row.checks),
            is_open=denied,
        )


def _sends(order: Order, rows: Sequence[OrderEvent]) -> Iterator[Happening]:
    """Tell of each time that the order was put to its venue, and when the first word came of it."""
    for row, answer in zip(rows, [*rows[1:], None], strict=False):
        if row.type != events.ORDER_SUBMITTED:
            continue
        heard = _("first word after %(time)s") % {"time": duration(answer.at - row.at)} if answer else _("no word yet")
        yield Happening(
            key=f"send-{row.pk}",
            at=row.at,
            lane=VENUE,
            title=_("Sent to %(venue)s") % {"venue": order.risk_account.venue},
            detail=f"{order.client_order_id} · {heard}",
            tone="run",
            rank=_RANKS[VENUE.key],
        )


def _executions(fills: Sequence[Fill]) -> Iterator[Happening]:
    """Tell of executions at the venue's own time, which may be earlier than ours of hearing of them."""
    for fill in fills:
        yield Happening(
            key=f"fill-{fill.pk}",
            at=fill.filled_at,
            lane=VENUE,
            title=_("Executed %(quantity)s at %(price)s")
            % {"quantity": figure(fill.quantity), "price": figure(fill.price, 2)},
            detail=f"{fill.venue_execution_id} · {_stored(fill)}",
            tone="bad" if fill.is_late else "ok",
            url=record_url("orders.fill", fill.pk),
            rank=_RANKS[VENUE.key],
        )


def _stored(fill: Fill) -> str:
    if fill.created_at < fill.filled_at:
        return display.lag(fill.filled_at, fill.created_at)
    return _("stored after %(time)s") % {"time": duration(fill.created_at - fill.filled_at)}


def jobs_of(order: Order) -> Sequence[Job]:
    """Return the jobs that carried an order, oldest first.

    Ids sort by creation, so the order's life is a range of the tenant's jobs.
    """
    jobs = Job.objects.filter(tenant_id=order.tenant_id, id__gte=order.id, kind__startswith="order.")
    if order.closed_at is not None:
        jobs = jobs.filter(id__lt=lowest_id(order.closed_at + _JOBS_AFTER_THE_END))
    own = jobs.filter(payload__order_id=str(order.id)).defer("payload", "last_traceback")
    return list(own.order_by("id")[:AT_MOST])


def _jobs(order: Order) -> Iterator[Happening]:
    for job in jobs_of(order):
        yield Happening(
            key=f"job-{job.pk}",
            at=job.started_at or job.created_at,
            lane=JOB,
            title=_("%(state)s, attempt %(attempt)s of %(most)s")
            % {"state": job.get_state_display(), "attempt": job.attempts, "most": job.max_attempts}
            if job.attempts
            else _("Waits for a worker"),
            code=job.kind,
            detail=" · ".join(_work(job, order)),
            tone=TONES.get(job.state, "idle"),
            url=record_url("jobs.job", job.pk),
            rank=_RANKS[JOB.key],
        )


def _work(job: Job, order: Order) -> Iterator[str]:
    if job.kind == RESOLVE_ORDER.name and order.lookups:
        yield _("look-ups that found nothing: %(count)s") % {"count": order.lookups}
    if job.started_at is not None and job.attempts == 1:
        yield _("waited %(time)s") % {"time": duration(job.started_at - max(job.run_at, job.created_at))}
    if job.started_at is not None and job.finished_at is not None:
        yield _("ran %(time)s") % {"time": duration(job.finished_at - job.started_at)}
    if job.last_error_code and job.state != JobState.SUCCEEDED:
        yield redact_text(f"{job.last_error_code}: {job.last_error_message}")


def incidents_of(order: Order) -> Sequence[Incident]:
    """Return the incidents about an order, oldest first."""
    about = Incident.objects.filter(tenant_id=order.tenant_id, target_id=order.id, id__gte=order.id)
    return list(about.order_by("id")[:AT_MOST])


def has_another_at_venue(order: Order) -> bool:
    """Tell whether somebody was called because the venue has another order under the order's id."""
    return Incident.objects.filter(tenant_id=order.tenant_id, target_id=order.id, kind=ANOTHER_ORDER).exists()


def _incidents(incidents: Sequence[Incident]) -> Iterator[Happening]:
    for row in incidents:
        yield Happening(
            key=f"incident-{row.pk}",
            at=row.first_seen_at,
            lane=INCIDENT,
            title=row.title,
            code=row.kind,
            detail=row.get_state_display(),
            tone=TONES.get(row.severity, "warn"),
            url=record_url("incidents.incident", row.pk),
            rank=_RANKS[INCIDENT.key],
        )


def _leaves(order: Order) -> Iterator[Happening]:
    rows = AuditEntry.objects.filter(tenant_id=order.tenant_id, target_id=str(order.id), target_type="order")
    for opened in open_entries(rows.order_by("at", "id")[:AT_MOST]):
        row = opened.entry
        who = f"{row.actor.get('kind', '')} {opened.label}".strip().replace("_", " ", 1)
        leaf = (
            _("leaf %(sequence)s") % {"sequence": number(row.sequence)} if row.sequence else _("leaf, being numbered")
        )
        yield Happening(
            key=f"leaf-{row.pk}",
            at=row.at,
            lane=AUDIT,
            title=row.action,
            detail=f"{leaf} · {bytes(row.leaf_hash).hex()[:12]}… · {who}",
            url=record_url("audit.auditentry", row.pk),
            rank=_RANKS[AUDIT.key],
        )
