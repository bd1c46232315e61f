"""What the users room refuses, in the words of its problem pages."""

from django.utils.translation import gettext_lazy as _

from apps.core.errors import DomainError


class InvalidCredentials(DomainError):
    """The user name, the password or the one-time code is wrong.

    Which of them is not said, and an unknown user name gets the same answer. A one-time code works once.
    """

    code = "invalid_credentials"
    status = 401
    title = _("The credentials are not valid")


class OtpRequired(DomainError):
    """The password is right and the user has a second factor: send the current code as `otp` too."""

    code = "otp_required"
    status = 401
    title = _("A one-time code is required")


class LockedOut(DomainError):
    """Too many failed sign-ins with this user name from this address; `Retry-After` says when to come back.

    Until then even the right password is refused; attempts do not prolong the wait. Five failures lock for 15 minutes,
    and each further lockout within a day for twice as long as the one before, up to a day. A success starts anew.
    """

    code = "locked_out"
    status = 429
    title = _("Too many failed sign-ins")


class InvalidRefreshToken(DomainError):
    """The refresh token is unknown, expired, revoked or was used before: sign in again.

    A refresh token works once, and each refresh returns the next one. Presenting a used token means that two
    parties hold it, so the whole session is revoked.
    """

    code = "invalid_refresh_token"
    status = 401
    title = _("The refresh token is not valid")


class InvalidPasswordReset(DomainError):
    """The token of the letter is unknown, has expired or was used; which of them is not said.

    A letter's token works once, for thirty minutes, and a later letter makes it void: ask for another one.
    """

    code = "invalid_password_reset"
    status = 400
    title = _("The password reset is not valid")


class UsernameTaken(DomainError):
    """Another user has this user name."""

    code = "username_taken"
    status = 409
    title = _("The user name is taken")


class PasswordTooWeak(DomainError):
    """The password is too short, too common, made of the user's name, or known from a breach; `detail` says which.

    It needs fifteen characters, or eight beside a second factor, and may be a sentence. No kinds of characters are
    asked for. Passwords are compared with those of known breaches without being sent anywhere.
    """

    code = "password_too_weak"
    status = 400
    title = _("The password is too weak")


class WrongCode(DomainError):
    """The one-time code is not the current one of this authenticator, or was used before.

    After a wrong code the authenticator waits a moment: take the next code that it shows.
    """

    code = "wrong_code"
    status = 400
    title = _("The code is not right")


class TooManyFactors(DomainError):
    """The user has ten second factors: remove one first."""

    code = "too_many_factors"
    status = 409
    title = _("Too many second factors")


class NoSecondFactor(DomainError):
    """Recovery codes stand in for a second factor: add one first."""

    code = "no_second_factor"
    status = 409
    title = _("There is no second factor")


class LastSecondFactor(DomainError):
    """Staff keep at least one second factor: add another one first."""

    code = "last_second_factor"
    status = 409
    title = _("The last second factor")


class PasskeysOff(DomainError):
    """The platform is reached by an IP address, and passkeys belong to a name: it has to be reached by one."""

    code = "passkeys_off"
    status = 409
    title = _("Passkeys are switched off")


class PasskeyRefused(DomainError):
    """The new passkey is not what was asked for, or is in use already: begin again.

    It has to answer this very challenge, on the platform's own pages, and to verify its user by PIN or biometrics.
    """

    code = "passkey_refused"
    status = 400
    title = _("The passkey was refused")
