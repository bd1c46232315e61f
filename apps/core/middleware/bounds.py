"""How large a request may be: its address, its header fields, its body.

How deep its JSON may go is the parser's matter. The web server has bounds of its own: docs/security.md tells them.
"""

from collections.abc import Callable
from io import BytesIO

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponseBase

from apps.core.api.parsers import is_body_too_large
from apps.core.api.problems import API_PREFIX, refusal
from apps.core.errors import (
    AddressTooLong,
    BodyTooLarge,
    DomainError,
    HeadersTooLarge,
    MalformedRequest,
    MethodNotAllowed,
    TooManyParameters,
)


class BoundsMiddleware:
    """Refuse addresses, header fields and bodies that are too large, before a view reads them; and TRACE."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            _bound(request)
        except DomainError as error:
            return refusal(request, error)
        return self.get_response(request)


def _bound(request: HttpRequest) -> None:
    # The API's views refuse it, too, but after asking who it is.
    if request.method == "TRACE" and not request.path.startswith(API_PREFIX):
        raise MethodNotAllowed
    if _address_length(request) > settings.MAX_ADDRESS_LENGTH:
        raise AddressTooLong
    if request.META.get("QUERY_STRING", "").count("&") >= settings.MAX_QUERY_PARAMETERS:
        raise TooManyParameters
    if _header_length(request) > settings.MAX_HEADER_LENGTH:
        raise HeadersTooLarge
    if isinstance(request, WSGIRequest) and request.META.get("HTTP_TRANSFER_ENCODING"):
        _take_chunks(request)
    # The API's parsers refuse it, too, but after asking who it is and whether the thing exists.
    if is_body_too_large(request) and not request.path.startswith(API_PREFIX):
        raise BodyTooLarge
    if request.method == "POST" and not request.path.startswith(API_PREFIX):
        _require_whole_body(request)


def _address_length(request: HttpRequest) -> int:
    return len(request.path) + len(request.META.get("QUERY_STRING", ""))


def _header_length(request: HttpRequest) -> int:
    return sum(len(name) + len(value) for name, value in request.META.items() if name.startswith("HTTP_"))


def _require_whole_body(request: HttpRequest) -> None:
    """Refuse a form whose client went away while it sent: what came would look like a form with less in it.

    The API needs no such thing: JSON that ends early is no JSON.
    """
    declared = request.META.get("CONTENT_LENGTH") or ""
    if declared.isdecimal() and len(request.body) < int(declared):
        raise MalformedRequest


def _take_chunks(request: WSGIRequest) -> None:
    """Read a body without a declared length, one byte further than the limit at most: Django takes it for empty.

    The server ends its input with the body (`wsgi.input_terminated`), which is what makes reading safe.
    """
    if not request.environ.get("wsgi.input_terminated") or request.META.get("CONTENT_LENGTH"):
        return
    body = request.environ["wsgi.input"].read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    request.META["CONTENT_LENGTH"] = str(len(body))
    request._stream = BytesIO(body)
