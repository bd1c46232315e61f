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


class Signing(models.TextChoices):
    """How an endpoint's requests are signed: by a secret that both sides know, or so that anybody can check it."""

    SYMMETRIC = "symmetric", _("Symmetric (HMAC-SHA256)")
    ASYMMETRIC = "asymmetric", _("Asymmetric (Ed25519)")


class SecretKind(models.TextChoices):
    """What a sealed value of an endpoint is."""

    SYMMETRIC = "symmetric", _("HMAC-SHA256 key")
    ASYMMETRIC = "asymmetric", _("Ed25519 private key")
    HEADERS = "headers", _("Values of custom headers")


class RecoveryStatus(models.TextChoices):
    """A recovery runs until all that was lost is queued again, or its endpoint is disabled."""

    RUNNING = "running", _("Running")
    FINISHED = "finished", _("Finished")


# Why the platform has disabled an endpoint: it answered 410, or nothing has arrived there for days.
DISABLED_AS_GONE, DISABLED_AS_FAILING = "gone", "failing"
LOST_STATUSES = (DeliveryStatus.FAILED, DeliveryStatus.DISCARDED)
