"""Stable values of the providers room."""

from enum import StrEnum

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Capability(TextChoices):
    """What a provider can do for a tenant."""

    BANKING = "banking", _("Banking")
    BROKERAGE = "brokerage", _("Brokerage")
    MARKET_DATA = "market_data", _("Market data")
    CRYPTO = "crypto", _("Crypto")
    IDENTITY = "identity", _("Identity")
    PAYMENTS = "payments", _("Payments")


class ConnectionStatus(TextChoices):
    ACTIVE = "active", _("Active")
    NEEDS_ATTENTION = "needs_attention", _("Needs attention")
    DISABLED = "disabled", _("Disabled")


class SyncStatus(TextChoices):
    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")


class SyncTrigger(TextChoices):
    SCHEDULE = "schedule", _("Schedule")
    API = "api", _("API")
    STAFF = "staff", _("Staff")
    RETRY = "retry", _("Retry")
    WEBHOOK = "webhook", _("Webhook")


class HookState(TextChoices):
    """What has become of a webhook that a provider sent."""

    RECEIVED = "received", _("Received")
    PROCESSED = "processed", _("Processed")
    UNREADABLE = "unreadable", _("Unreadable")


class ErrorCategory(StrEnum):
    """How a failed provider call is to be treated.

    `unknown_outcome` means that the provider may have acted: ask before doing it again, never repeat blindly.
    """

    RETRYABLE = "retryable"
    THROTTLED = "throttled"
    AUTH = "auth"
    PERMANENT = "permanent"
    UNKNOWN_OUTCOME = "unknown_outcome"


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
