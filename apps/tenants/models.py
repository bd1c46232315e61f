"""Tenants, their members, whom they invite, and their API keys."""

from datetime import datetime, timedelta

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from apps.core.db import TenantForeignKey
from apps.core.models import BaseModel, TenantModel, VersionedModel
from apps.core.retention import Retention
from apps.tenants.enums import ApiKeyMode, Ending, InvitationStatus, Plan, Role, TenantStatus

IMPERSONATION_LASTS = timedelta(minutes=15)

# Shorter than a UUID in text, so that "slug or id" is never ambiguous.
validate_slug = RegexValidator(r"^[a-z0-9]+(-[a-z0-9]+)*\Z", _("Use lower-case letters, digits and single hyphens."))


class Tenant(BaseModel, VersionedModel):
    """A client of the platform: everything else hangs on one. Its `id` is the `tenant_id` of its rows.

    `limit_overrides` are limits by meter that differ from the plan's. `tenant_rate` and `key_rate` are requests a
    second, at once and in flight (may be left out), where they differ from the installation's.
    """

    retention = Retention.BUSINESS

    slug = models.CharField(_("slug"), max_length=32, unique=True, validators=[validate_slug])
    name = models.CharField(_("name"), max_length=120)
    status = models.CharField(_("status"), max_length=16, choices=TenantStatus.choices, default=TenantStatus.ACTIVE)
    plan = models.CharField(_("plan"), max_length=16, choices=Plan.choices, default=Plan.STANDARD)
    limit_overrides = models.JSONField(_("limits of its own"), default=dict, blank=True)

    require_mfa = models.BooleanField(_("second factor required"), default=False)
    tenant_rate = ArrayField(
        models.PositiveIntegerField(), size=3, null=True, blank=True, verbose_name=_("requests of the tenant")
    )
    key_rate = ArrayField(
        models.PositiveIntegerField(), size=3, null=True, blank=True, verbose_name=_("requests of an API key")
    )

    class Meta:
        verbose_name = _("tenant")
        verbose_name_plural = _("tenants")
        # Of staff, on every tenant, or by django-guardian on single ones; see apps.backoffice.reach.
        permissions = [
            ("operate_tenant", _("Can see and act upon tenants")),
            ("grant_tenant", _("Can grant tenants to staff")),
        ]
        constraints = [
            models.CheckConstraint(name="tenants_tenant_status", condition=models.Q(status__in=TenantStatus.values)),
            models.CheckConstraint(name="tenants_tenant_plan", condition=models.Q(plan__in=Plan.values)),
        ]

    def __str__(self) -> str:
        return self.name


class TenantRole(TenantModel, VersionedModel):
    """A role that a tenant has defined for itself: permissions, and by permission the conditions on them.

    Its slug, which members and invitations name it by, is none of the built-in roles' and never changes.
    """

    retention = Retention.BUSINESS

    slug = models.CharField(_("slug"), max_length=32, validators=[validate_slug])
    name = models.CharField(_("name"), max_length=120)
    permissions = ArrayField(models.CharField(max_length=64), verbose_name=_("permissions"))
    conditions = models.JSONField(_("conditions"), default=dict, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("role")
        verbose_name_plural = _("roles")
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["tenant_id", "slug"], name="tenants_tenantrole_slug"),
            models.CheckConstraint(name="tenants_tenantrole_not_built_in", condition=~models.Q(slug__in=Role.values)),
            TenantForeignKey(field="tenant_id", to="tenants.Tenant", name="tenants_tenantrole_tenant"),
        ]

    def __str__(self) -> str:
        return self.name


# What a member or an invitation has: a built-in role by name, or the tenant's own one by its slug and its row.
_BUILT_IN = models.Q(role__in=Role.values, tenant_role__isnull=True)
_OWN = ~models.Q(role__in=Role.values) & models.Q(tenant_role__isnull=False)


def _role() -> "models.CharField[str, str]":
    return models.CharField(_("role"), max_length=32, choices=Role.choices)


def _tenant_role(name: str) -> "models.ForeignKey[TenantRole | None, TenantRole | None]":
    """Refer to a role of the same tenant, which TenantForeignKey guards; without it `role` is a built-in one."""
    return models.ForeignKey(
        TenantRole,
        on_delete=models.PROTECT,
        db_constraint=False,
        null=True,
        blank=True,
        related_name=name,
        verbose_name=_("role of the tenant's own"),
    )


class RequestCount(TenantModel):
    """How many requests of a tenant were admitted on a day (UTC)."""

    retention = Retention.OPERATIONAL

    day = models.DateField(_("day"))
    requests = models.BigIntegerField(_("requests"))

    class Meta(TenantModel.Meta):
        verbose_name = _("requests of a day")
        verbose_name_plural = _("requests by day")
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["tenant_id", "day"], name="tenants_requestcount_day"),
            TenantForeignKey(field="tenant_id", to="tenants.Tenant", name="tenants_requestcount_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.day}: {self.requests}"


class Membership(TenantModel, VersionedModel):
    """A user's place in a tenant.

    `name` and `email` are the user's as of joining: a tenant's scope cannot reach the global user table.
    """

    retention = Retention.BUSINESS
    personal_fields = ("name", "email")
    data_subject = "user_id"

    # PROTECT: a user with memberships is deactivated or erased by key, never deleted.
    user = models.ForeignKey("users.User", on_delete=models.PROTECT, related_name="memberships", verbose_name=_("user"))
    role = _role()
    tenant_role = _tenant_role("members")
    name = models.CharField(_("name"), max_length=150)
    email = models.EmailField(_("email address"), blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("member")
        verbose_name_plural = _("members")
        permissions = [("impersonate_membership", _("Can look at a tenant as a member sees it"))]
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["tenant_id", "user"], name="tenants_membership_one_per_user"),
            models.CheckConstraint(name="tenants_membership_role", condition=_BUILT_IN | _OWN),
            TenantForeignKey(field="tenant_role", to="tenants.TenantRole", name="tenants_membership_tenant_role"),
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
    role = _role()
    tenant_role = _tenant_role("invitations")
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
            # A closed one outlives the role that it offered.
            models.CheckConstraint(
                name="tenants_invitation_role",
                condition=_BUILT_IN
                | _OWN
                | models.Q(accepted_at__isnull=False, tenant_role__isnull=True)
                | models.Q(revoked_at__isnull=False, tenant_role__isnull=True),
            ),
            TenantForeignKey(field="tenant_role", to="tenants.TenantRole", name="tenants_invitation_tenant_role"),
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


class Impersonation(TenantModel):
    """A quarter of an hour in which a staff user sees a tenant as one of its members does, and changes nothing.

    `staff_name` and `member_name` are frozen. `token_hash` is that of its bearer token, if one was asked for. `looks`
    counts the requests, each of which has a leaf in the tenant's log. `ended_by` is a frozen name; until it is ended
    the row is open, also when its time is over.
    """

    retention = Retention.EVIDENCE
    personal_fields = ("staff_name", "member_name", "reason", "ended_by", "end_reason")
    data_subject = "user_id"

    staff = models.ForeignKey("users.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("staff user"))
    staff_name = models.CharField(_("by"), max_length=150, editable=False)
    user = models.ForeignKey("users.User", on_delete=models.PROTECT, related_name="+", verbose_name=_("member"))
    member_name = models.CharField(_("as"), max_length=150, editable=False)
    reason = models.CharField(_("reason"), max_length=500)
    ticket = models.CharField(_("ticket"), max_length=100)
    started_at = models.DateTimeField(_("started at"), editable=False)
    expires_at = models.DateTimeField(_("expires at"), editable=False)
    token_hash = models.BinaryField(max_length=32, unique=True, null=True)
    looks = models.PositiveIntegerField(_("looks"), default=0, editable=False)
    looked_at = models.DateTimeField(_("last look"), null=True, blank=True, editable=False)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True, editable=False)
    ending = models.CharField(_("ending"), max_length=16, choices=Ending.choices, blank=True, editable=False)
    ended_by = models.CharField(_("ended by"), max_length=150, blank=True, editable=False)
    end_reason = models.CharField(_("reason of the end"), max_length=500, blank=True, editable=False)

    class Meta(TenantModel.Meta):
        verbose_name = _("impersonation")
        verbose_name_plural = _("impersonations")
        permissions = [("end_impersonation", _("Can end the impersonations of others"))]
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["staff"],
                condition=models.Q(ended_at__isnull=True),
                name="tenants_impersonation_one_open_per_staff",
            ),
            models.CheckConstraint(
                condition=models.Q(expires_at__lte=models.F("started_at") + IMPERSONATION_LASTS),
                name="tenants_impersonation_short",
            ),
            models.CheckConstraint(
                condition=~models.Q(staff=models.F("user")), name="tenants_impersonation_of_somebody_else"
            ),
            models.CheckConstraint(
                condition=~models.Q(reason="") & ~models.Q(ticket=""), name="tenants_impersonation_explained"
            ),
            models.CheckConstraint(
                condition=models.Q(ended_at__isnull=True, ending="")
                | models.Q(ended_at__isnull=False, ending__in=Ending.values),
                name="tenants_impersonation_ending",
            ),
            TenantForeignKey(field="tenant_id", to="tenants.Tenant", name="tenants_impersonation_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.staff_name} as {self.member_name}"

    def is_live_at(self, now: datetime) -> bool:
        """Tell whether it is neither ended nor over; whether both users still may is asked for each request."""
        return self.ended_at is None and now < self.expires_at
