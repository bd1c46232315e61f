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


class Plan(models.TextChoices):
    """What a tenant has agreed with the platform; `apps.tenants.plans` says what each allows."""

    FREE = "free", _("Free")
    STANDARD = "standard", _("Standard")
    ENTERPRISE = "enterprise", _("Enterprise")


class Meter(models.TextChoices):
    """What a plan limits."""

    MEMBERS = "members", _("members and open invitations")
    API_KEYS = "api_keys", _("API keys")
    CONNECTIONS = "connections", _("connections")
    ACCOUNTS = "accounts", _("accounts")
    WEBHOOK_ENDPOINTS = "webhook_endpoints", _("webhook endpoints")
    ORDERS_TODAY = "orders_today", _("orders a day (UTC)")
    ROLES = "roles", _("roles of its own")


class Ending(models.TextChoices):
    """What has ended an impersonation."""

    EXPIRED = "expired", _("Its time was over")
    ENDED = "ended", _("Ended by who began it")
    STOPPED = "stopped", _("Stopped by somebody else")
    SIGNED_OUT = "signed_out", _("Who began it has signed out")
    STAFF_LEFT = "staff_left", _("Who began it may not do it any more")
    MEMBER_LEFT = "member_left", _("The member was removed or deactivated")
    TENANT_SUSPENDED = "tenant_suspended", _("The tenant was suspended")
