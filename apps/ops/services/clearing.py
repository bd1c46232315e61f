"""Clearing dead letters: all that are meant, in the background, one batch a transaction.

Each is replayed or discarded as a single one is, with its leaf and its incident. What a batch did and how far it came
commit together: a worker that dies costs a batch that never happened.
"""

import logging
import time
from collections import Counter
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from apps.audit import services as audit
from apps.core import clock
from apps.core.actor import Actor
from apps.core.canonical import jsonable
from apps.core.db.finding import get_one
from apps.core.errors import DomainError
from apps.core.scope import request_wake, staff_scope, system_scope
from apps.jobs.selectors import DeadLetters, dead_letters
from apps.ops.enums import OPEN_CLEARINGS, ClearingAction, ClearingState
from apps.ops.errors import ClearingOver, NothingToClear
from apps.ops.events import CLEARING_REQUESTED, CLEARING_STOPPED
from apps.ops.models import Clearing
from apps.ops.services.dead_letters import discard_dead_letter, replay_dead_letter

logger = logging.getLogger(__name__)

BATCH = 50
# Then whatever else the queue holds has its turn.
_AT_A_TIME_SECONDS = 2.0
UNEXPECTED = "unexpected_error"


def request_clearing(
    *, action: ClearingAction, letters: DeadLetters, reason: str = "", actor: Actor, now: datetime
) -> Clearing:
    """Ask for a replay or discarding of every dead letter that is meant and within the actor's reach.

    Raises:
        NothingToClear: there is none.
    """
    with staff_scope() as scope:
        total = dead_letters(letters, until=now).count()
        if not total:
            raise NothingToClear
        clearing = Clearing(
            action=action,
            meant={name: jsonable(value) for name, value in asdict(letters).items() if value is not None},
            tenants=sorted(map(str, scope.reach.tenants)) if scope.reach else None,
            reason=reason,
            requested_by=actor.as_json(),
            staff_id=actor.user_id,
            requested_at=now,
            total=total,
        )
        clearing.save(force_insert=True)
        changes: dict[str, Any] = {"action": [None, action], "total": [None, total], "meant": [None, clearing.meant]}
        if reason:
            changes["reason"] = [None, reason]
        _record(CLEARING_REQUESTED, clearing, changes, actor, now)
        request_wake("dead_letters")
    return clearing


def stop_clearing(*, clearing_id: UUID, actor: Actor, now: datetime) -> Clearing:
    """End a clearing where it is; what it has done stays done.

    Raises:
        NotFound: there is none with this id within the actor's reach.
        ClearingOver: it has ended before.
    """
    with staff_scope():
        clearing = get_one(Clearing.objects.select_for_update().filter(id=clearing_id))
        if clearing.state not in OPEN_CLEARINGS:
            raise ClearingOver
        changes = {"state": [clearing.state, ClearingState.STOPPED], "cleared": [None, clearing.cleared]}
        clearing.state, clearing.finished_at = ClearingState.STOPPED, now
        clearing.save(update_fields=["state", "finished_at"])
        _record(CLEARING_STOPPED, clearing, changes, actor, now)
    return clearing


def clear_some(*, seconds: float = _AT_A_TIME_SECONDS) -> bool:
    """Work through open clearings batch by batch for about so long, as the worker's login; tell whether any is left."""
    ends_at = time.monotonic() + seconds
    while clear_batch(now=clock.now()):
        if time.monotonic() >= ends_at:
            return True
    return False


def clear_batch(*, now: datetime, batch: int = BATCH) -> bool:
    """Clear a batch of the open clearing that has waited longest; tell whether there was one."""
    with transaction.atomic():
        waiting = Clearing.objects.filter(state__in=OPEN_CLEARINGS).order_by(F("worked_at").asc(nulls_first=True), "id")
        clearing = waiting.select_for_update(skip_locked=True).first()
        if clearing is None:
            return False
        chosen = _next_of(clearing, batch)
        refused = Counter(clearing.refused)
        for job_id, tenant_id in chosen:
            problem = _clear(clearing, job_id, tenant_id, now)
            refused.update([problem] if problem else [])
            clearing.cleared += not problem
        clearing.refused, clearing.worked_at, clearing.state = dict(refused), now, ClearingState.RUNNING
        if len(chosen) < batch:
            clearing.state, clearing.finished_at = ClearingState.DONE, now
        if chosen:
            clearing.after = chosen[-1][0]
        clearing.save(update_fields=["cleared", "refused", "worked_at", "state", "finished_at", "after"])
    return True


def _next_of(clearing: Clearing, batch: int) -> list[tuple[UUID, UUID]]:
    """Return (job, tenant) of the next dead letters, in order of their ids; locked, since a discarded one is none."""
    with system_scope():
        rows = dead_letters(DeadLetters.from_json(clearing.meant), until=clearing.requested_at)
        if clearing.tenants is not None:
            rows = rows.filter(tenant_id__in=clearing.tenants)
        if clearing.after is not None:
            rows = rows.filter(id__gt=clearing.after)
        return list(rows.select_for_update().order_by("id").values_list("id", "tenant_id")[:batch])


def _clear(clearing: Clearing, job_id: UUID, tenant_id: UUID, now: datetime) -> str:
    """Replay or discard one; return the code of what it was refused with, or nothing."""
    actor = Actor.from_json(clearing.requested_by).for_tenant(tenant_id)
    try:
        if clearing.action == ClearingAction.REPLAY:
            replay_dead_letter(job_id=job_id, actor=actor, now=now)
        else:
            discard_dead_letter(job_id=job_id, reason=clearing.reason, actor=actor, now=now)
    except DomainError as error:
        return error.code
    except Exception:  # One that fails in a way nobody thought of must not keep the others from their turn.
        if not connection.is_usable():
            raise
        logger.exception("dead_letters.not_cleared", extra={"job_id": str(job_id)})
        return UNEXPECTED
    return ""


def _record(action: str, clearing: Clearing, changes: dict[str, Any], actor: Actor, now: datetime) -> None:
    audit.record(action=action, actor=actor, target_type="clearing", target_id=clearing.id, now=now, changes=changes)
