"""Makes a dead job an incident."""

from django.utils.translation import gettext as _

from apps.core import clock
from apps.incidents.enums import Severity
from apps.incidents.services import open_incident
from apps.jobs.errors import PermanentFailure
from apps.jobs.events import JOB_DEAD
from apps.jobs.types import Lease


def open_incident_for_dead_job(lease: Lease, error: Exception) -> None:
    """Open an incident per dead job. Replaying or discarding it resolves the incident; another death opens another.

    A handler that gave up by itself (PermanentFailure) has said what a person must do where it belongs.
    """
    if isinstance(error, PermanentFailure):
        return
    failure = {"code": type(error).__name__, "message": str(error)}
    open_incident(
        kind=JOB_DEAD,
        key=str(lease.job_id),
        title=_("A %(kind)s job failed for good") % {"kind": lease.kind},
        severity=Severity.WARNING,
        target_type="job",
        target_id=lease.job_id,
        detail={"kind": lease.kind, "attempts": lease.attempt, "error": failure},
        actor=lease.actor,
        now=clock.now(),
    )
