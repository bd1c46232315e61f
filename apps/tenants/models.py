"""Tenants, their members, whom they invite, and their API keys."""

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from apps.core.db import TenantForeignKey
from apps.core.models import BaseModel, TenantModel, VersionedModel
from apps.core.retention import Retention
from apps.tenants.enums import ApiKeyMode, InvitationStatus, Plan, Role, TenantStatus

# Shorter than a UUID in text, so that "slug or id" is never ambiguous.
validate_slug = RegexValidator(r"^[a-z0-9]+(-[a-z0-9]+)*\Z", _("Use lower-case letters, digits and single hyphens."))


class Tenant(BaseModel, VersionedModel):
    """A client of the platform: everything else hangs on one. Its `id` is the `tenant_id` of its rows.

    `limit_overrides` are limits by meter that differ from the plan's. `tenant_rate` and `key_rate` are requests a
    second and at once, where they differ from the installation's.
    """

    retention = Retention.BUSINESS

    slug = models.CharField(_("slug"), max_length=32, unique=True, validators=[validate_slug])
    name = models.CharField(_("name"), max_length=120)
    status = models.CharField(_("status"), max_length=16, choices=TenantStatus.choices, default=TenantStatus.ACTIVE)
    plan = models.CharField(_("plan"), max_length=16, choices=Plan.choices, default=Plan.STANDARD)
    limit_overrides = models.JSONField(_("limits of its own"), default=dict, blank=True)

    tenant_rate = ArrayField(
        models.PositiveIntegerField(), size=2, null=True, blank=True, verbose_name=_("requests of the tenant")
    )
    key_rate = ArrayField(
        models.PositiveIntegerField(), size=2, null=True, blank=True, verbose_name=_("requests of an API key")
    )

    class Meta:
        verbose_name = _("tenant")
        verbose_name_plural = _("tenants")
        constraints = [
            models.CheckConstraint(name="tenants_tenant_status", condition=models.Q(status__in=TenantStatus.values)),
            models.CheckConstraint(name="tenants_tenant_plan", condition=models.Q(plan__in=Plan.values)),
        ]

    def __str__(self) -> str:
        return self.name


class Membership(TenantModel, VersionedModel):
    """A user's place in a tenant.

    `name` and `email` are the user's as of joining: a tenant's scope cannot reach the global user table.
    """

    retention = Retention.BUSINESS
    personal_fields = ("name", "email")
    data_subject = "user_id"

    # PROTECT: a user with memberships is deactivated or erased by key, never deleted.
    user = models.ForeignKey("users.User", on_delete=models.PROTECT, related_name="memberships", verbose_name=_("user"))
    role = models.CharField(_("role"), max_length=16, choices=Role.choices)
    name = models.CharField(_("name"), max_length=150)
    email = models.EmailField(_("email address"), blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["tenant_id", "user"], name="tenants_membership_one_per_user"),
            models.CheckConstraint(name="tenants_membership_role", condition=models.Q(role__in=Role.values)),
            TenantForeignKey(field="tenant_id", to="tenants.Tenant", name="tenants_membership_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.role})"


class Invitation(TenantModel, VersionedModel):
    """Somebody who may join a tenant. Whoever holds the token, of which the hash is stored, is who was invited.

    `sealed_token` is the token, encrypted, until its letter has been sent; `letters` counts those. `invited_by` is a
    frozen name.
    """

    retention = Retention.BUSINESS
    personal_fields = ("email", "invited_by")
    data_subject = "email"

    email = models.EmailField(_("email address"))
    role = models.CharField(_("role"), max_length=16, choices=Role.choices)
    token_hash = models.BinaryField(max_length=32, unique=True)
    sealed_token = models.BinaryField(max_length=200, null=True)
    invited_by = models.CharField(_("invited by"), max_length=200, editable=False)
    expires_at = models.DateTimeField(_("expires at"))
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    letters = models.PositiveIntegerField(_("letters"), default=0, editable=False)
    accepted_at = models.DateTimeField(_("accepted at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                "tenant_id",
                Lower("email"),
                name="tenants_invitation_one_open_per_address",
                condition=models.Q(accepted_at__isnull=True, revoked_at__isnull=True),
            ),
            models.CheckConstraint(name="tenants_invitation_role", condition=models.Q(role__in=Role.values)),
            TenantForeignKey(field="tenant_id", to="tenants.Tenant", name="tenants_invitation_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.email} ({self.role})"

    def status_at(self, now: datetime) -> InvitationStatus:
        """Return where the invitation stands at a time."""
        if self.accepted_at is not None:
            return InvitationStatus.ACCEPTED
        if self.revoked_at is not None:
            return InvitationStatus.REVOKED
        return InvitationStatus.PENDING if now < self.expires_at else InvitationStatus.EXPIRED


class ApiKey(TenantModel, VersionedModel):
    """A program's credential, bound to one tenant.

    The secret is shown once and stored as SHA-256; `prefix` is its beginning, to recognise it by. `scopes`
    are permission names. An empty `allowed_networks` allows every address. `created_by` is a frozen name.
    `replaced_by` is the key that a rolled one was replaced by.
    """

    retention = Retention.BUSINESS
    personal_fields = ("created_by",)
    data_subject = "created_by"

    name = models.CharField(_("name"), max_length=100)
    mode = models.CharField(_("mode"), max_length=4, choices=ApiKeyMode.choices)
    prefix = models.CharField(_("prefix"), max_length=20, editable=False)
    secret_hash = models.BinaryField(max_length=32, unique=True)
    scopes = ArrayField(models.CharField(max_length=64), verbose_name=_("scopes"))
    allowed_networks = ArrayField(
        models.CharField(max_length=43), default=list, blank=True, verbose_name=_("allowed networks")
    )
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True, editable=False)
    replaced_by = models.UUIDField(_("replaced by"), null=True, blank=True, editable=False)
    created_by = models.CharField(_("created by"), max_length=200, editable=False)

    class Meta(TenantModel.Meta):
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        constraints = [
            *TenantModel.Meta.constraints,
            models.CheckConstraint(name="tenants_apikey_mode", condition=models.Q(mode__in=ApiKeyMode.values)),
            TenantForeignKey(field="tenant_id", to="tenants.Tenant", name="tenants_apikey_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
