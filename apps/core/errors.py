"""Domain errors and the registry of their codes.

Every error code that a client can see is a class here or beside the function that raises it. The class's
docstring is the text of the page that the problem's `type` URL resolves to.
"""

import inspect
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

ERRORS: dict[str, type["DomainError"]] = {}


class DomainError(Exception):
    """Something the platform refuses, with a stable code, an HTTP status and a message for people."""

    code: ClassVar[str] = ""
    status: ClassVar[int] = 409
    title: ClassVar[str | Promise] = ""

    def __init__(self, message: str | Promise = "", **extra: Any) -> None:
        self.message = message or self.title
        self.extra = extra  # further members of the problem document, such as `errors` or `retry_after`
        super().__init__(str(self.message))

    def __init_subclass__(cls) -> None:
        if "code" not in cls.__dict__:
            return
        if cls.code in ERRORS and ERRORS[cls.code].__qualname__ != cls.__qualname__:
            raise TypeError(f"error code {cls.code!r} is taken by {ERRORS[cls.code].__qualname__}")
        ERRORS[cls.code] = cls

    @classmethod
    def explanation(cls) -> str:
        """Return what the code's page says."""
        return inspect.getdoc(cls) or ""


class ValidationFailed(DomainError):
    """The request was understood but some values are not acceptable; `errors` names each field."""

    code = "validation_failed"
    status = 400
    title = _("Some values are not valid")


class MalformedRequest(DomainError):
    """The body is not the JSON that this endpoint takes."""

    code = "malformed_request"
    status = 400
    title = _("The request could not be read")


class UnknownQueryParameter(DomainError):
    """The query has a parameter that this endpoint does not know; `errors` names it."""

    code = "unknown_query_parameter"
    status = 400
    title = _("Unknown query parameter")


class TooManyParameters(DomainError):
    """The query has more than 100 parameters."""

    code = "too_many_parameters"
    status = 400
    title = _("Too many query parameters")


class InvalidCursor(DomainError):
    """The cursor did not come from this endpoint's `next_cursor`."""

    code = "invalid_cursor"
    status = 400
    title = _("The cursor is not valid")


class TlsRequired(DomainError):
    """The request came over plain HTTP. Whoever saw it on the way has its credentials: replace them.

    Pages for people redirect to HTTPS. The API does not, since a redirect would hide the mistake.
    """

    code = "tls_required"
    status = 403
    title = _("HTTPS is required")


class AuthenticationRequired(DomainError):
    """The request carries no credentials, or credentials that are unknown, expired or revoked."""

    code = "authentication_required"
    status = 401
    title = _("Authentication required")


class PermissionMissing(DomainError):
    """The credentials are valid but lack the permission that this endpoint asks for."""

    code = "permission_denied"
    status = 403
    title = _("Permission missing")


class ConditionFailed(DomainError):
    """You hold the permission under a condition that does not hold here.

    `condition` names it: `own` (only what you made), `amount_below` (an amount that is not known is refused, too) or
    `hours`. `POST /permissions/explain` tells all of them.
    """

    code = "condition_failed"
    status = 403
    title = _("A condition of the permission does not hold")


class ReauthenticationRequired(DomainError):
    """You proved who you are too long ago for this change: send your password, and a one-time code if you have a second
    factor, to the address in `reauthenticate_at`, then repeat the request.

    It is good for `max_age_seconds`. Signing in counts; API keys are not asked.
    """

    code = "reauthentication_required"
    status = 403
    title = _("Confirm that it is you")


class SecondFactorRequired(DomainError):
    """The tenant wants a second factor of every member, and you have none: add one at the address in `enrol_at`.

    Until then your tokens reach nothing else. It holds for sessions that are open already.
    """

    code = "second_factor_required"
    status = 403
    title = _("A second factor is required")


class NotFound(DomainError):
    """There is no such thing, or it belongs to another tenant: the answer is the same."""

    code = "not_found"
    status = 404
    title = _("Not found")


class MethodNotAllowed(DomainError):
    """The endpoint exists but does not take this method."""

    code = "method_not_allowed"
    status = 405
    title = _("Method not allowed")


class NotAcceptable(DomainError):
    """The endpoint answers JSON only."""

    code = "not_acceptable"
    status = 406
    title = _("Not acceptable")


class VersionConflict(DomainError):
    """`If-Match` names another version than the stored one: read the resource again and retry."""

    code = "version_conflict"
    status = 412
    title = _("The resource has changed")


class BodyTooLarge(DomainError):
    """The request body is larger than this endpoint takes."""

    code = "body_too_large"
    status = 413
    title = _("The body is too large")


class BodyTooDeep(DomainError):
    """The lists and objects of the JSON body are nested deeper than anything here needs."""

    code = "body_too_deep"
    status = 400
    title = _("The body is nested too deep")


class AddressTooLong(DomainError):
    """The path and the query are together longer than 8,192 characters."""

    code = "address_too_long"
    status = 414
    title = _("The address is too long")


class HeadersTooLarge(DomainError):
    """The header fields are together larger than 16,384 characters, or have more than the server takes."""

    code = "headers_too_large"
    status = 431
    title = _("The header fields are too large")


class UnsupportedMediaType(DomainError):
    """The body must be sent as `application/json`."""

    code = "unsupported_media_type"
    status = 415
    title = _("Unsupported media type")


class RateLimited(DomainError):
    """Too many requests; `Retry-After` says when to come back."""

    code = "rate_limited"
    status = 429
    title = _("Too many requests")


class TooManyAtOnce(DomainError):
    """Too many requests of this caller are being worked on; send the next one when one of them has been answered."""

    code = "too_many_at_once"
    status = 429
    title = _("Too many requests at once")


class InternalError(DomainError):
    """Something failed on our side. It is logged under the request id; the request can be tried again."""

    code = "internal_error"
    status = 500
    title = _("Internal error")


class ServiceUnavailable(DomainError):
    """What the answer needs cannot be reached, or took too long. Nothing was changed; try again after `Retry-After`."""

    code = "service_unavailable"
    status = 503
    title = _("Temporarily unavailable")


class ImpersonationReads(DomainError):
    """These are the credentials of staff who look at the tenant as one of its members: they read, and change nothing.

    What is out of their reach altogether, such as orders, API keys and members, answers `permission_denied`.
    """

    code = "impersonation_reads"
    status = 403
    title = _("An impersonation changes nothing")


class ReadOnly(DomainError):
    """Writing is switched off, for this tenant or for the whole installation; reads go on."""

    code = "read_only"
    status = 503
    title = _("Writing is switched off")
