"""Identity: users of the platform, staff and members alike, and their signed-in sessions."""

from django.contrib.auth.models import AbstractBaseUser, PermissionsMixin, UserManager
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.core.models import BaseModel
from apps.core.retention import Retention


class User(BaseModel, AbstractBaseUser, PermissionsMixin):
    """A person who signs in. Staff work in the admin; members belong to tenants.

    A user is global: which tenants somebody belongs to, and as what, is said by memberships.
    """

    retention = Retention.IDENTITY
    personal_fields = ("username", "display_name", "email")
    data_subject = "id"

    username = models.CharField(
        _("username"),
        max_length=150,
        unique=True,
        validators=[UnicodeUsernameValidator()],
        error_messages={"unique": _("A user with that username already exists.")},
    )
    display_name = models.CharField(_("display name"), max_length=150, blank=True)
    email = models.EmailField(_("email address"), blank=True)
    is_staff = models.BooleanField(_("staff"), default=False, help_text=_("May sign in to the admin."))
    is_active = models.BooleanField(_("active"), default=True, help_text=_("Unset this instead of deleting a user."))
    date_joined = models.DateTimeField(_("date joined"), default=timezone.now, editable=False)

    objects = UserManager["User"]()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "username"
    REQUIRED_FIELDS = ["email"]

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def get_full_name(self) -> str:
        """Return the name to show for this user."""
        return self.display_name or self.username

    def get_short_name(self) -> str:
        """Return the name to greet this user with."""
        return self.get_full_name()


class Session(BaseModel):
    """One sign-in to one tenant, kept up by a family of refresh tokens.

    The table is global because a refresh token must be found before its tenant is known.
    """

    retention = Retention.EPHEMERAL
    personal_fields = ("ip", "user_agent")
    data_subject = "user_id"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions", verbose_name=_("user"))
    tenant_id = models.UUIDField(_("tenant"), editable=False)
    created_at = models.DateTimeField(_("signed in at"))
    last_used_at = models.DateTimeField(_("last used at"))
    expires_at = models.DateTimeField(_("expires at"))
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    ip = models.GenericIPAddressField(_("IP address"), null=True, blank=True)
    user_agent = models.CharField(_("user agent"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        indexes = [
            models.Index(
                fields=["user", "tenant_id"],
                name="users_session_alive",
                condition=models.Q(revoked_at__isnull=True),
            ),
            models.Index(fields=["expires_at"], name="users_session_expires_at"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class RefreshToken(BaseModel):
    """One refresh token of a session, stored as its SHA-256. It is good until it is replaced by the next.

    A replaced token is kept as long as its session: presenting it means that somebody copied it. `successor` is the
    next token, encrypted, for the client that lost the answer and asks again at once.
    """

    retention = Retention.EPHEMERAL
    personal_fields = ()

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="tokens", verbose_name=_("session"))
    token_hash = models.BinaryField(max_length=32, unique=True)
    replaced_at = models.DateTimeField(_("replaced at"), null=True, blank=True)
    successor = models.BinaryField(max_length=200, null=True)

    class Meta:
        verbose_name = _("refresh token")
        verbose_name_plural = _("refresh tokens")
        constraints = [
            models.UniqueConstraint(
                fields=["session"],
                condition=models.Q(replaced_at__isnull=True),
                name="users_refreshtoken_one_good_per_session",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    def successor_bound_to(self) -> str:
        """Return what `successor` is bound to."""
        return f"users_refreshtoken:{self.session_id}:{self.id}"
