"""Runs verifications check by check, so that a worker that dies costs one check and queues wait for one at most."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.core import verification
from apps.core.verification import Result, Verdict
from apps.ops.enums import OPEN_STATES, RunState
from apps.ops.models import VerificationRun
from apps.ops.services.telling import tell

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
HELD = timedelta(minutes=2)
MAX_ATTEMPTS = 3
_STORED_EVERY_SECONDS = 1.0


def run_next_check(*, clock: Clock) -> bool:
    """Run the next check of the open verification; return whether another one is due after it."""
    run = _hold(clock())
    if run is None:
        return False
    index = _next_of(run)
    if index is not None:
        _carry_out(run, index, clock)
    return _go_on(run.id, clock())


def _hold(now: datetime) -> VerificationRun | None:
    """Take the open run for this process, for its next check; None while another process has it."""
    with transaction.atomic():
        open_runs = VerificationRun.objects.filter(state__in=OPEN_STATES).order_by("id")
        run = open_runs.select_for_update(skip_locked=True).first()
        if run is None or (run.held_until is not None and run.held_until > now):
            return None
        run.state, run.started_at = RunState.RUNNING, run.started_at or now
        run.held_until, run.attempts = now + HELD, run.attempts + 1
        run.save(update_fields=["state", "started_at", "held_until", "attempts"])
    return run


def _next_of(run: VerificationRun) -> int | None:
    return next((index for index, check in enumerate(run.checks) if not check["verdict"]), None)


def _carry_out(run: VerificationRun, index: int, clock: Clock) -> None:
    check = next((check for check in verification.registered() if check.name == run.checks[index]["name"]), None)
    if check is None or run.attempts > MAX_ATTEMPTS:
        why = "no process knows this check" if check is None else f"{MAX_ATTEMPTS} workers were lost over it"
        _store(run, index, {"verdict": Verdict.BROKEN, "error": why}, clock())
        return
    tenants = list(verification.tenants())
    VerificationRun.objects.filter(id=run.id).update(tenants=len(tenants))
    _watch(run, index, check, tenants, clock)


def _watch(run: VerificationRun, index: int, check: verification.Check, tenants: list[UUID], clock: Clock) -> None:
    """Run a check and store how far it is: at least every second, so that people see it and others let it be."""
    stored = monotonic()
    for result in verification.verify([check], tenant_ids=tenants):
        if result.verdict is not None or monotonic() - stored >= _STORED_EVERY_SECONDS:
            stored = monotonic()
            _store(run, index, _as_json(result), clock())


def _as_json(result: Result) -> dict[str, Any]:
    return {
        "verdict": result.verdict or "",
        "looked_at": result.looked_at,
        "found": result.found,
        "seconds": result.seconds,
        "error": result.error,
        "findings": [finding.as_json() for finding in result.findings],
    }


def _store(run: VerificationRun, index: int, brought: dict[str, Any], now: datetime) -> None:
    """Store a check's progress or end, and the run's sums; a run that somebody has taken over stays theirs."""
    with transaction.atomic():
        held = VerificationRun.objects.select_for_update().get(id=run.id)
        if held.attempts != run.attempts or held.checks[index]["verdict"]:
            raise RuntimeError(f"verification {run.id} was taken over by another worker")
        held.checks[index] |= brought
        held.looked_at = sum(check["looked_at"] for check in held.checks)
        held.found = sum(check["found"] for check in held.checks)
        held.held_until = now + HELD
        held.save(update_fields=["checks", "looked_at", "found", "held_until"])


def _go_on(run_id: UUID, now: datetime) -> bool:
    """Let go of the run; end it, and tell people, when every check has its verdict."""
    with transaction.atomic():
        run = VerificationRun.objects.select_for_update().get(id=run_id)
        run.held_until, run.attempts = None, 0
        run.save(update_fields=["held_until", "attempts"])
    if _next_of(run) is not None:
        return True
    run.state, run.finished_at = state_of({check["verdict"] for check in run.checks}), now
    # First, since it can be done twice: a run that is over has told what it found.
    tell(run, now=now)
    run.save(update_fields=["state", "finished_at"])
    return False


def state_of(verdicts: set[str]) -> RunState:
    """Return what a run with these verdicts comes to: what could not be looked at outweighs what was found."""
    if Verdict.BROKEN in verdicts:
        return RunState.BROKEN
    return RunState.FINDINGS if Verdict.FINDINGS in verdicts else RunState.PROVED
