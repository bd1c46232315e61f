"""What Alpaca's error answers mean: {"code": 40310000, "message": "insufficient buying power"}.

An answer in this shape is Alpaca's own word: a request that it refuses was not carried out. Anything else came from
something that stands before it and proves nothing.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.providers.enums import ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.transport import Blame, Verdict, default_verdict, retry_after_header

PROVIDER = "alpaca"
DUPLICATE_CLIENT_ORDER_ID = "duplicate_client_order_id"
ORDER_NOT_FOUND = "order_not_found"
KEY_REFUSED = _("Alpaca refuses the key. Delete the connection and connect again with a valid one.")
# The window's end may be a minute away; orders and their look-ups wait for it, and to ask again costs one request.
_LONGEST_RESET_SECONDS = 1.0


class _Refusal(msgspec.Struct):
    message: str
    code: int | None = None  # market data's gateway leaves it out


def classify_error(status: int, body: Any) -> Verdict:
    """Classify an error answer by status, code and message; see ErrorCategory."""
    refusal = _refusal(body)
    if refusal is None:
        return _unproven(status, body)
    if status == 429:
        return _verdict(ErrorCategory.THROTTLED, "throttled", _("Alpaca asks for fewer requests."), refusal)
    if status == 401 or _is_forbidden(status, refusal):
        return _verdict(ErrorCategory.AUTH, "credentials_refused", KEY_REFUSED, refusal)
    if status < 400 or status >= 500 or status in (408, 425):
        return _unproven(status, body)
    return _verdict(ErrorCategory.PERMANENT, _code(status, refusal), refusal.message, refusal)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait: as Retry-After says, or until X-RateLimit-Reset (unix seconds) when used up."""
    asked = retry_after_header(headers)
    reset = headers.get("X-RateLimit-Reset", "")
    if asked is not None or headers.get("X-RateLimit-Remaining") != "0" or not reset.isdecimal():
        return asked
    return min(max(float(reset[:12]) - time.time(), 0.0), _LONGEST_RESET_SECONDS)


def malformed(operation: str) -> ProviderError:
    """Return the error of an answer that is JSON but not what was asked for; asking again may help."""
    message = _("Alpaca's answer could not be read; it is asked again.")
    return _error(operation, ErrorCategory.RETRYABLE, "malformed_answer", message)


def stalled(operation: str) -> ProviderError:
    """Return the error of a list whose pages do not come to an end."""
    message = _("Alpaca repeats a page of a list; it is asked again.")
    return _error(operation, ErrorCategory.RETRYABLE, "list_changed", message)


def outcome_unknown(operation: str) -> ProviderError:
    """Return the error of an order that was answered with success, but not by an order that could be it."""
    message = _("Alpaca's answer could not be read; whether it carried the request out is not known.")
    return _error(operation, ErrorCategory.UNKNOWN_OUTCOME, "malformed_answer", message)


def stream_error(category: ErrorCategory, code: str, message: str | Promise) -> ProviderError:
    """Return the error that ends a stream."""
    return _error("stream", category, code, message)


def _error(operation: str, category: ErrorCategory, code: str, message: str | Promise) -> ProviderError:
    return ProviderError(provider=PROVIDER, operation=operation, category=category, code=code, message=message)


def _refusal(body: Any) -> _Refusal | None:
    try:
        return msgspec.convert(body, _Refusal)
    except msgspec.ValidationError:
        return None


def _verdict(category: ErrorCategory, code: str, message: str | Promise, refusal: _Refusal) -> Verdict:
    return Verdict(category=category, code=code, message=message, is_proof=refusal.code is not None)


def _unproven(status: int, body: Any) -> Verdict:
    if 400 <= status < 500 and status not in (408, 425, 429):
        message = _("Something in front of Alpaca answered; it is asked again.")
        return Verdict(
            category=ErrorCategory.RETRYABLE, code="unexpected_answer", message=message, blame=Blame.PROVIDER
        )
    return replace(default_verdict(status, body), is_proof=False)


def _is_forbidden(status: int, refusal: _Refusal) -> bool:
    """Tell whether a 403 is about the key: the data gateway says no more than that."""
    return status == 403 and refusal.code is None and refusal.message.lower().startswith("forbidden")


def _code(status: int, refusal: _Refusal) -> str:
    message = refusal.message.lower()
    if "client_order_id must be unique" in message:
        return DUPLICATE_CLIENT_ORDER_ID
    if status == 404:
        # An endpoint that is not there is a 404, too, and says nothing of an order.
        return ORDER_NOT_FOUND if "order not found" in message else "not_found"
    return str(refusal.code) if refusal.code is not None else "request_refused"
