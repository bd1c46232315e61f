"""Staff actions on jobs, composed in the back office with their leaf and their incident."""

from datetime import datetime

from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as message

from apps.backoffice.admin.timing import bounds_view
from apps.core.actor import Actor
from apps.core.admin import Outcome, ServiceAction, contribute_actions
from apps.jobs.enums import JobState
from apps.jobs.models import Job, Queue
from apps.ops.services import discard_dead_letter, replay_dead_letter

REPLAYED = Outcome(message("%(count)s job queued again"), message("%(count)s jobs queued again"))
DISCARDED = Outcome(message("%(count)s job discarded"), message("%(count)s jobs discarded"))


def _replay(job: Job, actor: Actor, now: datetime, _reason: str) -> Outcome:
    replay_dead_letter(job_id=job.pk, actor=actor, now=now)
    return REPLAYED


def _discard(job: Job, actor: Actor, now: datetime, reason: str) -> Outcome:
    discard_dead_letter(job_id=job.pk, reason=reason, actor=actor, now=now)
    return DISCARDED


contribute_actions(
    Queue,
    ServiceAction(name="bounds", label=gettext_lazy("Change bounds"), icon="tune", page=bounds_view),
)
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
