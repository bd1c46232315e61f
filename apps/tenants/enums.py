"""The closed vocabularies of the tenants room."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class TenantStatus(models.TextChoices):
    """Whether a tenant's credentials are accepted. Read-only is the core's switch, not a status."""

    ACTIVE = "active", _("Active")
    SUSPENDED = "suspended", _("Suspended")


class Role(models.TextChoices):
    """What a member is in a tenant; `apps.tenants.roles` says what each may do."""

    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Admin")
    TRADER = "trader", _("Trader")
    ANALYST = "analyst", _("Analyst")
    VIEWER = "viewer", _("Viewer")
    BILLING = "billing", _("Billing")


class ApiKeyMode(models.TextChoices):
    """A test key reaches paper accounts only."""

    LIVE = "live", _("Live")
    TEST = "test", _("Test")


class InvitationStatus(models.TextChoices):
    """Where an invitation stands; derived from its times, not stored."""

    PENDING = "pending", _("Pending")
    ACCEPTED = "accepted", _("Accepted")
    REVOKED = "revoked", _("Revoked")
    EXPIRED = "expired", _("Expired")
