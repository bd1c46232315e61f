"""The staff sign-in form: username, password and a one-time code, in one step."""

import re
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.utils.translation import gettext_lazy as _
from django_otp import user_has_device
from unfold.forms import AuthenticationForm
from unfold.widgets import BASE_INPUT_CLASSES

from apps.core import clock, context
from apps.core.actor import Actor
from apps.users.recovery import is_recovery_code
from apps.users.services import one_attempt_at_a_time, spend_code

_REFUSED = _(
    "The username, password or code is not right. A code works once: if you have just used it, "
    "wait until your app shows the next one."
)
_NO_DEVICE = _(
    "This account has no confirmed authenticator, so it cannot enter yet. Ask an operator to run "
    "“manage.py enrol_staff %(username)s” and scan the QR code that it prints, then sign in again."
)


def validate_code(text: str) -> None:
    """Refuse what has neither the shape of a one-time code nor that of a recovery code."""
    if not (re.fullmatch(r"[0-9]{6}", text) or is_recovery_code(text)):
        raise ValidationError(_("The code has six digits, a recovery code twenty-four letters."), code="shape")


class CodeInput(forms.TextInput):
    """A field for a one-time code, empty again after each try."""

    def format_value(self, value: Any) -> None:
        """Return nothing: the code that was sent is used or wrong."""


class StaffLoginForm(AuthenticationForm):  # type: ignore[misc]  # unfold has no types
    """Signs in active staff with a code of their authenticator app, or a recovery code.

    Which of the three was wrong is not told. A wrong code counts towards the lockout as a wrong password does.
    `refusal` says why the form refused: "credentials", "code" or "no_device".
    """

    otp_token = forms.CharField(
        label=_("One-time code"),
        max_length=32,
        validators=[validate_code],
        help_text=_("From your authenticator app, or one of your recovery codes."),
        error_messages={"required": _("Enter the six-digit code from your authenticator app.")},
        widget=CodeInput(
            attrs={
                "class": " ".join(BASE_INPUT_CLASSES),
                "autocomplete": "one-time-code",
                "inputmode": "numeric",
                "placeholder": "000000",
            }
        ),
    )
    error_messages = {**AuthenticationForm.error_messages, "invalid_login": _REFUSED, "inactive": _REFUSED}
    refusal = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Django sets the attribute of the input alone, and a longer name fits no column of the lockout.
        longest = get_user_model()._meta.get_field("username").max_length
        self.fields["username"].validators.append(MaxLengthValidator(longest))

    def clean(self) -> dict[str, Any]:
        """Check the password, then the code; without a code nothing is checked."""
        if self.errors:
            return {}
        with one_attempt_at_a_time(self.cleaned_data["username"]):
            self.refusal = "credentials"
            cleaned: dict[str, Any] = super().clean()
            self.refusal = ""
            self._verify(self.get_user(), cleaned["otp_token"])
        return cleaned

    def _verify(self, user: Any, token: str) -> None:
        actor = Actor(
            kind="staff",
            label=user.username,
            user_id=user.pk,
            request_id=context.current().request_id,
            ip=self.request.META.get("REMOTE_ADDR", ""),
        )
        user.otp_device = spend_code(user=user, code=token, actor=actor, now=clock.now())
        if user.otp_device is None:
            has_device = user_has_device(user)
            self.refusal = "code" if has_device else "no_device"
            if has_device:
                self._count_failure()
                raise self.get_invalid_login_error()
            raise ValidationError(_NO_DEVICE, params={"username": user.get_username()}, code="no_device")

    def confirm_login_allowed(self, user: Any) -> None:
        """Refuse whoever is not active staff, as if the password were wrong."""
        if not (user.is_active and user.is_staff):
            self._count_failure()
            raise self.get_invalid_login_error()

    def _count_failure(self) -> None:
        # django-axes counts by this signal; `authenticate` has only sent it for a wrong password.
        credentials = {get_user_model().USERNAME_FIELD: self.cleaned_data["username"]}
        user_login_failed.send(sender=__name__, credentials=credentials, request=self.request)
