"""Staff actions on models of lower rooms, composed in the back office with their audit leaf."""

from datetime import datetime

from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as message

from apps.backoffice import pages, services
from apps.core.actor import Actor
from apps.core.admin import (
    Outcome,
    ServiceAction,
    contribute_actions,
)
from apps.incidents.enums import IncidentState
from apps.incidents.models import Incident
from apps.jobs.enums import JobState
from apps.jobs.models import Job
from apps.users.models import Session

__all__ = ["pages"]  # Django looks for admin modules alone; importing it registers its pages.

REPLAYED = Outcome(message("%(count)s job queued again"), message("%(count)s jobs queued again"))
DISCARDED = Outcome(message("%(count)s job discarded"), message("%(count)s jobs discarded"))
ACKNOWLEDGED = Outcome(message("%(count)s incident acknowledged"), message("%(count)s incidents acknowledged"))
RESOLVED = Outcome(message("%(count)s incident resolved"), message("%(count)s incidents resolved"))
SESSION_REVOKED = Outcome(message("%(count)s session revoked"), message("%(count)s sessions revoked"))
SESSION_OVER = Outcome(message("%(count)s was over already"), message("%(count)s were over already"))


def _replay(job: Job, actor: Actor, now: datetime, _reason: str) -> Outcome:
    services.replay_dead_letter(job_id=job.pk, actor=actor, now=now)
    return REPLAYED


def _discard(job: Job, actor: Actor, now: datetime, reason: str) -> Outcome:
    services.discard_dead_letter(job_id=job.pk, reason=reason, actor=actor, now=now)
    return DISCARDED


def _acknowledge(incident: Incident, actor: Actor, now: datetime, _reason: str) -> Outcome:
    services.acknowledge(incident_id=incident.pk, actor=actor, now=now)
    return ACKNOWLEDGED


def _resolve(incident: Incident, actor: Actor, now: datetime, reason: str) -> Outcome:
    services.resolve(incident_id=incident.pk, reason=reason, actor=actor, now=now)
    return RESOLVED


def _revoke_session(session: Session, actor: Actor, now: datetime, reason: str) -> Outcome:
    revoked = services.revoke_session(session_id=session.pk, reason=reason, actor=actor, now=now)
    return SESSION_REVOKED if revoked else SESSION_OVER


contribute_actions(
    Job,
    ServiceAction(
        name="replay",
        label=gettext_lazy("Replay"),
        icon="replay",
        run=_replay,
        available=lambda job: job.state in (JobState.DEAD, JobState.DISCARDED),
    ),
    ServiceAction(
        name="discard",
        label=gettext_lazy("Discard"),
        icon="delete_sweep",
        run=_discard,
        confirm=gettext_lazy("The work will not be done. The row stays, and can still be replayed."),
        needs_reason=True,
        danger=True,
        available=lambda job: job.state in (JobState.DEAD, JobState.QUEUED),
    ),
)
contribute_actions(
    Incident,
    ServiceAction(
        name="acknowledge",
        label=gettext_lazy("Acknowledge"),
        icon="visibility",
        run=_acknowledge,
        available=lambda incident: incident.state == IncidentState.OPEN,
    ),
    ServiceAction(
        name="resolve",
        label=gettext_lazy("Resolve"),
        icon="task_alt",
        run=_resolve,
        confirm=gettext_lazy("Say what was done. If the trouble returns, a new incident opens."),
        needs_reason=True,
        available=lambda incident: incident.state != IncidentState.RESOLVED,
    ),
)
contribute_actions(
    Session,
    ServiceAction(
        name="revoke",
        label=gettext_lazy("Revoke"),
        icon="logout",
        run=_revoke_session,
        confirm=gettext_lazy("The user is signed out of the API at once and has to sign in again."),
        needs_reason=True,
        danger=True,
        available=lambda session: session.revoked_at is None,
    ),
)
