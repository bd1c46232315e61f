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
