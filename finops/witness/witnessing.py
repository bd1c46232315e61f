"""Holds every log to what the witnesses have of it, and gives them what is new.

A witness is asked first, and judged by what it holds itself: of our own database, which is what is to be checked, only
the tree is taken. A log that does not continue what was witnessed is not sent any more: the old checkpoint stays, and
people are told.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _
from prometheus_client import Counter, Gauge

from apps.audit import tree
from apps.audit.merkle import consistency_path
from apps.audit.models import AuditCheckpoint, AuditCounter
from apps.audit.notes import Checkpoint, NoteRefused, VerifierKey, open_note
from apps.audit.selectors import keys_known, origin_of
from apps.core.actor import system_actor
from apps.core.scope import system_scope
from apps.incidents.enums import Severity
from apps.incidents.services import open_incident
from finops.witness.stores import Delivery, Store, WitnessUnreachable

CONTRADICTED = "audit.contradicted"
# What has not grown is compared again after this time.
COMPARED_SECONDS = 3600.0

HELD = Gauge(
    "finops_audit_witness_timestamp_seconds",
    "When the witness last held the latest checkpoint of every log (Unix time)",
    ["witness"],
    multiprocess_mode="mostrecent",
)
CONTRADICTIONS = Counter(
    "finops_audit_witness_contradictions_total", "Logs that are not what was witnessed", ["witness"]
)

logger = logging.getLogger(__name__)

# By witness and log: the size that it holds, and when the two were compared, on this process's monotonic clock.
_compared: dict[tuple[str, UUID | None], tuple[int, float]] = {}


class LogContradicted(Exception):
    """A witness holds a checkpoint that the log does not continue: it was truncated, forked or rewritten."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of one log and one witness: both sizes, or what is wrong."""

    witness: str
    origin: str
    held: int = 0
    size: int = 0
    problem: str = ""
    is_contradicted: bool = False


def send_checkpoints(stores: list[Store], *, now: datetime) -> list[Comparison]:
    """Send every log's latest checkpoint to every witness, and open an incident for each that contradicts it."""
    comparisons = []
    for store in stores:
        mine = [_send(store, tenant_id, size, now) for tenant_id, size in _logs()]
        if not any(comparison.problem for comparison in mine):
            HELD.labels(store.name).set(time.time())
        comparisons += mine
    return comparisons


def compare_all(stores: list[Store]) -> Iterator[Comparison]:
    """Hold every log to every witness, whenever that was done last; nothing is sent and nobody told."""
    for store in stores:
        for tenant_id, _size in _logs():
            yield _judged(store, tenant_id)[0]


def _logs() -> list[tuple[UUID | None, int]]:
    with system_scope():
        return list(AuditCounter.objects.order_by("tenant_id").values_list("tenant_id", "checkpoint_size"))


def _send(store: Store, tenant_id: UUID | None, size: int, now: datetime) -> Comparison:
    last_size, compared_at = _compared.get((store.name, tenant_id), (-1, 0.0))
    if last_size == size and time.monotonic() - compared_at < COMPARED_SECONDS:
        return Comparison(store.name, origin_of(tenant_id), size, size)
    comparison, delivery = _judged(store, tenant_id)
    if delivery is not None:
        comparison = _give(store, delivery, comparison, tenant_id)
    if comparison.is_contradicted:
        _tell(comparison, tenant_id, now)
    if comparison.problem:
        logger.warning("audit.not_witnessed", extra={"origin": comparison.origin, "error": comparison.problem})
    else:
        _compared[store.name, tenant_id] = (comparison.size, time.monotonic())
    return comparison


def _give(store: Store, delivery: Delivery, comparison: Comparison, tenant_id: UUID | None) -> Comparison:
    """Have a witness keep a checkpoint; where it has got one of that size meanwhile, compare the log with that."""
    try:
        is_kept = store.keep(delivery)
    except WitnessUnreachable as error:
        return Comparison(store.name, comparison.origin, problem=str(error))
    return comparison if is_kept else _judged(store, tenant_id)[0]


def _judged(store: Store, tenant_id: UUID | None) -> tuple[Comparison, Delivery | None]:
    """Compare a log with what a witness holds of it; return also what it does not hold yet."""
    origin = origin_of(tenant_id)
    try:
        note = store.held(origin)
        with system_scope():
            held = _read(note, origin)
            size, delivery = _continue(tenant_id, held)
    except WitnessUnreachable as error:
        return Comparison(store.name, origin, problem=str(error)), None
    except LogContradicted as error:
        return Comparison(store.name, origin, problem=str(error), is_contradicted=True), None
    return Comparison(store.name, origin, held.size if held else 0, size), delivery


def _read(note: str | None, origin: str) -> Checkpoint | None:
    if note is None:
        return None
    try:
        held = Checkpoint.from_text(open_note(note, [VerifierKey(origin, key) for key in keys_known()]))
    except NoteRefused as error:
        raise LogContradicted(_("It holds what none of our keys has signed: %(error)s.") % {"error": error}) from error
    if held.origin != origin:
        raise LogContradicted(_("It holds a checkpoint of another log: %(origin)s.") % {"origin": held.origin})
    return held


def _continue(tenant_id: UUID | None, held: Checkpoint | None) -> tuple[int, Delivery | None]:
    """Return the latest size of a log and what brings a witness there.

    Raises:
        LogContradicted: see the class.
    """
    latest = AuditCheckpoint.objects.filter(tenant_id=tenant_id).order_by("-size").first()
    size = latest.size if latest else 0
    if held is not None:
        _require_continued(tenant_id, held, size)
    if latest is None or (held is not None and held.size == size):
        return size, None
    since = held.size if held else 0
    checkpoint = Checkpoint(origin_of(tenant_id), size, bytes(latest.root_hash))
    path = tree.read_ranges(tenant_id, size, consistency_path(since, size)) if since else []
    return size, Delivery(latest.note, checkpoint, since, path)


def _require_continued(tenant_id: UUID | None, held: Checkpoint, size: int) -> None:
    sizes = {"held": held.size, "size": size}
    if held.size > size:
        raise LogContradicted(_("It holds a log of %(held)s entries, here are %(size)s: it was truncated.") % sizes)
    try:
        root = tree.read_root(tenant_id, held.size)
    except tree.TreeDamaged as error:
        raise LogContradicted(_("The tree here is damaged: %(error)s.") % {"error": error}) from error
    if root != held.root_hash:
        raise LogContradicted(
            _("The first %(held)s entries here are not those of the checkpoint that it holds: the log was forked.")
            % sizes
        )


def _tell(comparison: Comparison, tenant_id: UUID | None, now: datetime) -> None:
    """Open an incident of the tenant; the installation's own log has its line of log and its count alone."""
    CONTRADICTIONS.labels(comparison.witness).inc()
    told = {"witness": comparison.witness, "origin": comparison.origin, "problem": comparison.problem}
    logger.error(CONTRADICTED, extra=told)
    if tenant_id is not None:
        open_incident(
            kind=CONTRADICTED,
            key=comparison.witness,
            title=_("The audit log is not what was witnessed"),
            severity=Severity.CRITICAL,
            target_type="tenant",
            target_id=tenant_id,
            detail=told,
            actor=system_actor("witness", tenant_id=tenant_id),
            now=now,
        )
