"""States of a verification run, and what began it."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class RunState(models.TextChoices):
    """A run is over once every check has its verdict; the worst of these is the run's."""

    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    PROVED = "proved", _("Proved")
    FINDINGS = "findings", _("Findings")
    BROKEN = "broken", _("Could not run")


class Trigger(models.TextChoices):
    """What began a run."""

    NIGHTLY = "nightly", _("Nightly")
    STAFF = "staff", _("Staff")


OPEN_STATES = (RunState.QUEUED, RunState.RUNNING)


class ClearingAction(models.TextChoices):
    """What becomes of many dead letters at once."""

    REPLAY = "replay", _("Replay")
    DISCARD = "discard", _("Discard")


class ClearingState(models.TextChoices):
    """A clearing is done once every dead letter that was meant has been looked at, unless staff stop it before."""

    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    STOPPED = "stopped", _("Stopped")


OPEN_CLEARINGS = (ClearingState.QUEUED, ClearingState.RUNNING)
