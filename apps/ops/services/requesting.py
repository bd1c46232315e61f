"""Asking for a verification: staff at any time, the platform once a night."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from apps.audit import services as audit
from apps.core.actor import Actor, system_actor
from apps.core.scope import request_wake, require_whole_installation, staff_scope
from apps.core.verification import registered
from apps.ops.enums import OPEN_STATES, Trigger
from apps.ops.events import VERIFICATION_REQUESTED
from apps.ops.models import VerificationRun

# For so long after its hour a night's run may still begin; later it would be the day's load.
NIGHT = timedelta(hours=3)


def request_verification(*, actor: Actor, now: datetime) -> VerificationRun:
    """Ask for a verification of the whole installation, or return the one that is under way.

    Raises:
        PermissionMissing: the actor is limited to some tenants.
    """
    with staff_scope():
        require_whole_installation()
        run = _insert(Trigger.STAFF, actor, now)
        if run is None:
            return VerificationRun.objects.filter(state__in=OPEN_STATES).latest("id")
        audit.record(
            action=VERIFICATION_REQUESTED,
            actor=actor,
            target_type="verification_run",
            target_id=run.id,
            now=now,
            changes={"checks": [None, len(run.checks)]},
        )
        request_wake("verification")
    return run


def request_due_verification(*, now: datetime) -> VerificationRun | None:
    """Ask for the night's verification once its hour has come, unless it has been asked for; as a login role."""
    due = now.replace(hour=settings.VERIFY_HOUR, minute=0, second=0, microsecond=0)
    if due > now:
        due -= timedelta(days=1)
    nightly = VerificationRun.objects.filter(trigger=Trigger.NIGHTLY, requested_at__gte=due)
    if now >= due + NIGHT or nightly.exists():
        return None
    return _insert(Trigger.NIGHTLY, system_actor("verification"), now)


def _insert(trigger: Trigger, actor: Actor, now: datetime) -> VerificationRun | None:
    """Queue a run; None while another one is open."""
    checks = [
        {"name": check.name, "title": str(check.title), "proves": str(check.proves), "things": str(check.things)}
        for check in registered()
    ]
    pending = {"verdict": "", "looked_at": 0, "found": 0, "seconds": 0.0, "error": "", "findings": []}
    run = VerificationRun(
        trigger=trigger,
        requested_by=actor.as_json(),
        requested_at=now,
        checks=[check | pending for check in checks],
    )
    try:
        with transaction.atomic():
            run.save(force_insert=True)
    except IntegrityError:
        return None
    return run
