"""What went wrong on the wire, as httpx tells it, in our categories."""

import httpx
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.providers.enums import ErrorCategory
from apps.providers.transport.classification import Blame, Verdict


class BadAnswer(Exception):
    """An answer that cannot be used: too large, or not JSON."""

    def __init__(self, code: str, message: str | Promise) -> None:
        super().__init__(code)
        self.code, self.message = code, message


class DeadlinePassed(Exception):
    """The call as a whole took longer than it may."""


# To reach the provider something may have been sent to a proxy; of the request itself nothing was.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def wire_verdict(error: Exception, *, is_safe: bool) -> Verdict:
    """Classify a failure of the exchange itself; `is_safe`: nothing can have changed at the provider."""
    code, message = _describe(error)
    if is_safe:
        return Verdict(category=ErrorCategory.RETRYABLE, code=code, message=message, blame=Blame.PROVIDER)
    unknown = _("The provider did not answer; whether it carried the request out is not known.")
    return Verdict(category=ErrorCategory.UNKNOWN_OUTCOME, code=code, message=unknown, blame=Blame.PROVIDER)


def _describe(error: Exception) -> tuple[str, str | Promise]:
    if isinstance(error, BadAnswer):
        return error.code, error.message
    if isinstance(error, httpx.DecodingError):
        return "malformed_answer", _("The provider's answer could not be read; the sync is tried again.")
    if isinstance(error, DeadlinePassed | httpx.TimeoutException):
        return "timeout", _("The provider did not answer in time; the sync is tried again.")
    if isinstance(error, httpx.ConnectError):
        return "unreachable", _("The provider cannot be reached; the sync is tried again.")
    return "connection_lost", _("The connection to the provider was lost; the sync is tried again.")
