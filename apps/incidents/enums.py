"""States and severities of an incident."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class IncidentState(models.TextChoices):
    """An incident is open until someone acknowledges it, and stands until it is resolved."""

    OPEN = "open", _("Open")
    ACKNOWLEDGED = "acknowledged", _("Acknowledged")
    RESOLVED = "resolved", _("Resolved")


class Severity(models.TextChoices):
    """How urgently people should look."""

    INFO = "info", _("Info")
    WARNING = "warning", _("Warning")
    CRITICAL = "critical", _("Critical")


STANDING_STATES = (IncidentState.OPEN, IncidentState.ACKNOWLEDGED)
