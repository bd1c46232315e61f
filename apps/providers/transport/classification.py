"""What an answer with an error status means, where the adapter knows no better."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.core.retry_after import parse_retry_after
from apps.providers.enums import ErrorCategory

_RETRYABLE = {408, 425, 500, 502, 503, 504, 507, 520, 521, 522, 523, 524, 529}


class Blame(StrEnum):
    """Whose breaker a failure counts against: the whole provider's, or one connection's (one bank is away)."""

    PROVIDER = "provider"
    CONNECTION = "connection"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How an answer is to be treated; see ErrorCategory. `message` is for people.

    `is_proof`: it is the provider's own word, so that a request which changes something was not carried out.
    """

    category: ErrorCategory
    code: str
    message: str | Promise
    blame: Blame = Blame.NOBODY
    is_proof: bool = True


def default_verdict(status: int, _body: Any) -> Verdict:
    """Classify an answer by its status alone."""
    if 300 <= status < 400:
        # Following it would carry the credentials to wherever it points.
        return _permanent("redirect_refused", _("The provider redirected the request, which is not followed."))
    if status == 429:
        message = _("The provider asks for fewer requests; the sync goes on later.")
        return Verdict(category=ErrorCategory.THROTTLED, code="throttled", message=message)
    if status in (401, 403):
        message = _("The provider refuses the credentials. Delete the connection and connect again.")
        return Verdict(category=ErrorCategory.AUTH, code="credentials_refused", message=message)
    if status in _RETRYABLE or status >= 500:
        message = _("The provider is not available at the moment; the sync is tried again.")
        return Verdict(
            category=ErrorCategory.RETRYABLE, code="provider_unavailable", message=message, blame=Blame.PROVIDER
        )
    return _permanent("request_refused", _("The provider refused the request."))


def retry_after_header(headers: Mapping[str, str]) -> float | None:
    """Return what the answer's Retry-After asks for, in seconds."""
    return parse_retry_after(headers.get("Retry-After"))


def _permanent(code: str, message: str | Promise) -> Verdict:
    return Verdict(category=ErrorCategory.PERMANENT, code=code, message=message)
