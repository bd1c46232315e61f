"""Identity: users of the platform, staff and members alike, their signed-in sessions and their second factors."""

import base64
import hmac
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, PermissionsMixin, UserManager
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Upper
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device, DeviceManager, ThrottlingMixin
from django_otp.oath import hotp

from apps.core import crypto
from apps.core.models import BaseModel
from apps.core.retention import Retention
from apps.users.enums import PasskeyPurpose


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
        indexes = [models.Index(Upper("email"), name="users_user_email")]

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
    proved_at = models.DateTimeField(_("proved who they are at"))
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

    @property
    def ends_at(self) -> datetime:
        """When the session ends unless it is used before: idle for SESSION_IDLE_SECONDS, or at its `expires_at`."""
        return min(self.expires_at, self.last_used_at + timedelta(seconds=settings.SESSION_IDLE_SECONDS))

    def __str__(self) -> str:
        return str(self.id)


class StaffSession(BaseModel):
    """A session in the admin, see `services.staff_sessions`; without a user nobody has signed in with it yet."""

    retention = Retention.EPHEMERAL
    personal_fields = ("ip", "user_agent")
    data_subject = "user_id"

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+", verbose_name=_("user"))
    key_hash = models.BinaryField(max_length=32, unique=True)
    session_data = models.TextField(blank=True)
    created_at = models.DateTimeField(_("signed in at"))
    last_used_at = models.DateTimeField(_("last used at"))
    revoked_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    ip = models.GenericIPAddressField(_("IP address"), null=True, blank=True)
    user_agent = models.CharField(_("user agent"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("staff session")
        verbose_name_plural = _("staff sessions")
        indexes = [models.Index(fields=["created_at"], name="users_staffsession_created_at")]

    @property
    def ends_at(self) -> datetime:
        """When the session ends unless it is used before."""
        idle = self.last_used_at + timedelta(seconds=settings.STAFF_IDLE_SECONDS)
        return min(idle, self.created_at + timedelta(seconds=settings.SESSION_COOKIE_AGE))

    def __str__(self) -> str:
        return str(self.id)


class Lockout(BaseModel):
    """A name that nobody may try from an address until `locked_until`; the `times`-th lockout in a row.

    Whether somebody has the name makes no difference. Rows go a day after they have ended.
    """

    retention = Retention.EPHEMERAL
    personal_fields = ("username", "ip")
    data_subject = "username"

    username = models.CharField(_("username"), max_length=255)
    ip = models.GenericIPAddressField(_("IP address"), null=True)
    times = models.PositiveIntegerField(_("times"))
    locked_at = models.DateTimeField(_("locked at"))
    locked_until = models.DateTimeField(_("locked until"))

    class Meta:
        verbose_name = _("lockout")
        verbose_name_plural = _("lockouts")
        constraints = [
            models.UniqueConstraint(
                fields=["username", "ip"], nulls_distinct=False, name="users_lockout_one_per_name_and_address"
            ),
        ]
        indexes = [models.Index(fields=["locked_until"], name="users_lockout_locked_until")]

    def __str__(self) -> str:
        return str(self.id)


class PasswordReset(BaseModel):
    """A new password that somebody asked for; `user_id` is empty where nobody has the name.

    No foreign key, so that both cost the same to write. `token_hash` is the SHA-256 of what the letter holds, once it
    is on its way.
    """

    retention = Retention.EPHEMERAL
    personal_fields = ("ip",)
    data_subject = "user_id"

    user_id = models.UUIDField(_("user"), null=True)
    created_at = models.DateTimeField(_("asked for at"))
    posted_at = models.DateTimeField(_("looked at"), null=True)
    token_hash = models.BinaryField(max_length=32, unique=True, null=True)
    expires_at = models.DateTimeField(_("expires at"), null=True)
    ip = models.GenericIPAddressField(_("IP address"), null=True)
    request_id = models.CharField(_("request id"), max_length=128, blank=True)

    class Meta:
        verbose_name = _("password reset")
        verbose_name_plural = _("password resets")
        indexes = [
            models.Index(fields=["id"], name="users_passwordreset_waiting", condition=models.Q(posted_at__isnull=True)),
            models.Index(fields=["user_id", "posted_at"], name="users_passwordreset_of_user"),
            models.Index(fields=["posted_at"], name="users_passwordreset_posted_at"),
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


class Authenticator(BaseModel, ThrottlingMixin, Device):  # type: ignore[misc]  # django-otp has no types
    """An authenticator app: TOTP by RFC 6238, with SHA-1, six digits and periods of 30 seconds, as every app has it.

    `sealed_seed` is the secret, encrypted under the key `key_id` and bound to this row. `last_period` is the period of
    the last code that was accepted: no earlier one, and not that one again, is.
    """

    PERIOD_SECONDS = 30
    DIGITS = 6
    DRIFT_PERIODS = 1  # what a phone's clock may be off
    retention = Retention.IDENTITY
    personal_fields = ("name",)
    data_subject = "user_id"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", verbose_name=_("user"))
    sealed_seed = models.BinaryField(max_length=200)
    key_id = models.CharField(max_length=32, editable=False)
    last_period = models.BigIntegerField(default=-1, editable=False)
    created_at = models.DateTimeField(_("created at"), editable=False)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True, editable=False)

    objects: ClassVar[Any] = DeviceManager()

    class Meta:
        verbose_name = _("authenticator")
        verbose_name_plural = _("authenticators")

    @property
    def persistent_id(self) -> str:
        """Return the name that django-otp keeps in a session; it looks devices up by a number."""
        return device_name(self)

    @property
    def kind(self) -> str:
        """Return what it is among the factors."""
        return "totp"

    @property
    def seed(self) -> bytes:
        """Return the secret, decrypted."""
        return crypto.decrypt(bytes(self.sealed_seed), bound_to=self._row)

    def seal(self, seed: bytes) -> None:
        """Put the secret under the installation's current key; saving is the caller's."""
        self.sealed_seed = crypto.encrypt(seed, bound_to=self._row)
        self.key_id = crypto.key_id_of(self.sealed_seed)

    @property
    def secret(self) -> str:
        """Return the secret as people type it: base32."""
        return base64.b32encode(self.seed).decode().rstrip("=")

    @property
    def config_url(self) -> str:
        """Return the `otpauth:` address that apps read from the QR code (Google Authenticator's key URI format)."""
        issuer = quote(settings.OTP_TOTP_ISSUER)
        rest = f"algorithm=SHA1&digits={self.DIGITS}&period={self.PERIOD_SECONDS}&issuer={issuer}"
        label = quote(f"{settings.OTP_TOTP_ISSUER}:{self.user.username}")
        return f"otpauth://totp/{label}?secret={self.secret}&{rest}"

    def period_of(self, code: str, now: datetime) -> int | None:
        """Return the period that a code is good for, if it may still be used."""
        seed, text = self.seed, "".join(code.split()).encode()  # apps show them as 123 456
        current = int(now.timestamp()) // self.PERIOD_SECONDS
        for period in range(current - self.DRIFT_PERIODS, current + self.DRIFT_PERIODS + 1):
            right = f"{hotp(seed, period, self.DIGITS):0{self.DIGITS}d}".encode()
            if period > self.last_period and hmac.compare_digest(right, text):
                return period
        return None

    def get_throttle_factor(self) -> int:
        """Return the seconds to wait after the first wrong code."""
        return 1

    @property
    def _row(self) -> str:
        return f"users_authenticator:{self.user_id}:{self.id}"


class RecoveryCodes(BaseModel, Device):  # type: ignore[misc]  # django-otp has no types
    """A user's recovery codes that are left, as SHA-256 in hex."""

    retention = Retention.IDENTITY
    personal_fields = ()

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="+", verbose_name=_("user"))
    hashes = ArrayField(models.CharField(max_length=64))
    created_at = models.DateTimeField(_("created at"), editable=False)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True, editable=False)

    objects: ClassVar[Any] = DeviceManager()

    class Meta:
        verbose_name = _("recovery codes")
        verbose_name_plural = _("recovery codes")

    @property
    def persistent_id(self) -> str:
        """Return the name that django-otp keeps in a session; it looks devices up by a number."""
        return device_name(self)

    @property
    def kind(self) -> str:
        """Return what one of them is among the factors."""
        return "recovery_code"

    @property
    def left(self) -> int:
        """Return how many are left."""
        return len(self.hashes)


class Passkey(BaseModel, Device):  # type: ignore[misc]  # django-otp has no types
    """A passkey (WebAuthn): the public half of a key pair, whose other half no authenticator gives away.

    It stands for both factors: we take an assertion only when the authenticator has verified its user. `sign_count` is
    the count of the last assertion; authenticators that share their keys through a cloud leave it at 0.
    """

    retention = Retention.IDENTITY
    personal_fields = ("name",)
    data_subject = "user_id"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", verbose_name=_("user"))
    credential_id = models.BinaryField(max_length=1023, unique=True)
    public_key = models.BinaryField(max_length=1023)
    sign_count = models.BigIntegerField(_("sign count"), editable=False)
    transports = ArrayField(models.CharField(max_length=16), verbose_name=_("transports"), editable=False)
    created_at = models.DateTimeField(_("created at"), editable=False)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True, editable=False)

    objects: ClassVar[Any] = DeviceManager()

    class Meta:
        verbose_name = _("passkey")
        verbose_name_plural = _("passkeys")

    @property
    def persistent_id(self) -> str:
        """Return the name that django-otp keeps in a session; it looks devices up by a number."""
        return device_name(self)

    @property
    def kind(self) -> str:
        """Return what it is among the factors."""
        return "passkey"


class PasskeyChallenge(BaseModel):
    """What an authenticator has to sign, once, within five minutes, for one purpose.

    `user_id` is empty while nobody knows who signs in. A new passkey is bound to `session_id` as well.
    """

    retention = Retention.EPHEMERAL
    personal_fields = ()
    data_subject = "user_id"

    purpose = models.CharField(_("purpose"), max_length=16, choices=PasskeyPurpose)
    user_id = models.UUIDField(_("user"), null=True)
    session_id = models.UUIDField(_("session"), null=True)
    challenge = models.BinaryField(max_length=64)
    expires_at = models.DateTimeField(_("expires at"))

    class Meta:
        verbose_name = _("passkey challenge")
        verbose_name_plural = _("passkey challenges")
        indexes = [models.Index(fields=["expires_at"], name="users_passkeychallenge_expires")]

    def __str__(self) -> str:
        return str(self.id)


def device_name(device: Device) -> str:
    """Return a device's name in a session, with its UUID as a number: django-otp looks devices up by one."""
    return f"{device.model_label()}/{device.pk.int}"
