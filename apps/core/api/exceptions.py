"""Turns every exception that a view raises into an RFC 9457 problem document."""

import logging
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _
from rest_framework import exceptions as drf
from rest_framework.response import Response

from apps.core import context, errors
from apps.core.api.renderers import JSONRenderer
from apps.core.errors import DomainError
from apps.core.redaction import redact_text

logger = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"
# A body of a megabyte can be wrong in a hundred thousand places.
MAX_ERRORS = 100

_TRANSLATIONS: dict[type[Exception], type[DomainError]] = {
    Http404: errors.NotFound,
    PermissionDenied: errors.PermissionMissing,
    RequestDataTooBig: errors.BodyTooLarge,
    drf.NotFound: errors.NotFound,
    drf.PermissionDenied: errors.PermissionMissing,
    drf.NotAuthenticated: errors.AuthenticationRequired,
    drf.AuthenticationFailed: errors.AuthenticationRequired,
    drf.MethodNotAllowed: errors.MethodNotAllowed,
    drf.NotAcceptable: errors.NotAcceptable,
    drf.UnsupportedMediaType: errors.UnsupportedMediaType,
    drf.ParseError: errors.MalformedRequest,
    drf.Throttled: errors.RateLimited,
}


# Their details say too much, or quote the request.
_SILENT = (errors.NotFound, errors.AuthenticationRequired, errors.UnsupportedMediaType)


def problem_handler(exception: Exception, handler_context: dict[str, Any]) -> Response | None:
    """Return the problem response; an unknown exception is logged with its traceback and becomes a 500."""
    request = handler_context["request"]
    error = to_domain_error(exception)
    if error is None:
        logger.exception("request.failed", exc_info=exception)
        error = errors.InternalError()
    # Whatever the view renders (the documentation is HTML), its problems are JSON.
    request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
    headers = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="finops"'
    if isinstance(exception, drf.MethodNotAllowed):
        headers["Allow"] = ", ".join(handler_context["view"].allowed_methods)
    if "retry_after" in error.extra:
        headers["Retry-After"] = str(error.extra["retry_after"])
    response = Response(problem(error, request), status=error.status, headers=headers, content_type=PROBLEM_JSON)
    response.problem_code = error.code  # type: ignore[attr-defined]  # for the line that is logged
    return response


def to_domain_error(exception: Exception) -> DomainError | None:
    """Return the domain error that stands for an exception; None when it is not known."""
    if isinstance(exception, DomainError):
        return exception
    if isinstance(exception, drf.ValidationError):
        return errors.ValidationFailed(errors=list(_field_errors(exception.get_full_details(), ())))
    if isinstance(exception, OperationalError):
        logger.warning("database.unavailable", extra={"error": str(exception)})
        return errors.ServiceUnavailable(retry_after=1)
    for known, domain in _TRANSLATIONS.items():
        if isinstance(exception, known):
            detail = getattr(exception, "detail", "")
            return domain(str(detail) if domain not in _SILENT else "")
    return None


def problem(error: DomainError, request: HttpRequest | Any) -> dict[str, Any]:
    """Return the problem document's members, in reading order."""
    return {
        "type": f"{settings.BASE_URL}/problems/{error.code}",
        "title": str(error.title),
        "status": error.status,
        "detail": redact_text(str(error.message)),
        "instance": redact_text(request.path),
        "code": error.code,
        "request_id": context.current().request_id,
        **_shown(error.extra),
    }


def _shown(extra: dict[str, Any]) -> dict[str, Any]:
    """Return the further members; what was wrong may quote the request, so that answers, too, are redacted."""
    if "errors" not in extra:
        return extra
    errors_shown = [{name: redact_text(str(text)) for name, text in e.items()} for e in extra["errors"][:MAX_ERRORS]]
    return {**extra, "errors": errors_shown}


def _field_errors(details: Any, path: tuple[str, ...]) -> Any:
    """Flatten DRF's nested error details to {field, code, message}; list indexes join the path."""
    if isinstance(details, dict) and set(details) == {"message", "code"}:
        code, message = details["code"], str(details["message"])
        if code == "invalid_choice":
            message = _("This is not one of the choices.")  # the framework's quotes what was sent
        yield {"field": ".".join(path), "code": code, "message": message}
    elif isinstance(details, dict):
        for key, value in details.items():
            yield from _field_errors(value, path if key == "non_field_errors" else (*path, str(key)))
    else:
        for index, value in enumerate(details):
            nested = isinstance(value, dict) and set(value) != {"message", "code"}
            yield from _field_errors(value, (*path, str(index)) if nested and len(details) > 1 else path)
