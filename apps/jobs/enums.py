"""States of a job."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class JobState(models.TextChoices):
    """A job's state. A dead job has failed for good and waits for staff to replay or discard it."""

    QUEUED = "queued", _("Queued")
    LEASED = "leased", _("Leased")
    SUCCEEDED = "succeeded", _("Succeeded")
    DEAD = "dead", _("Dead")
    DISCARDED = "discarded", _("Discarded")


ACTIVE_STATES = (JobState.QUEUED, JobState.LEASED)
