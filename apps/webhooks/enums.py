"""The closed vocabularies of the webhooks room."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class EndpointStatus(models.TextChoices):
    """Whether an endpoint is sent to. What happens while it is disabled is not queued for it."""

    ENABLED = "enabled", _("Enabled")
    DISABLED = "disabled", _("Disabled")


class DeliveryStatus(models.TextChoices):
    """A delivery is pending until it succeeded, its last try failed, or its endpoint went away."""

    PENDING = "pending", _("Pending")
    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")
    DISCARDED = "discarded", _("Discarded")


class RecoveryStatus(models.TextChoices):
    """A recovery runs until all that was lost is queued again, or its endpoint is disabled."""

    RUNNING = "running", _("Running")
    FINISHED = "finished", _("Finished")


# Why the platform has disabled an endpoint: it answered 410, or nothing has arrived there for days.
DISABLED_AS_GONE, DISABLED_AS_FAILING = "gone", "failing"
LOST_STATUSES = (DeliveryStatus.FAILED, DeliveryStatus.DISCARDED)
