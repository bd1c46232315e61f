"""The pages that problem types resolve to, and problem documents for errors outside of any view."""

from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views import defaults
from django.views.decorators.http import require_safe

from apps.core import context, errors
from apps.core.api.exceptions import PROBLEM_JSON, problem
from apps.core.api.renderers import to_json
from apps.core.errors import ERRORS, DomainError

API_PREFIX = "/api/"
# Where programs read what is wrong: clients of the API, and providers that send webhooks.
PROGRAMS = (API_PREFIX, "/hooks/")


@require_safe
def problem_page(request: HttpRequest, code: str) -> HttpResponse:
    """Explain one error code to the person who followed a problem's `type`."""
    if code not in ERRORS:
        raise Http404
    return render(request, "core/problem.html", {"error": ERRORS[code], "errors": sorted(ERRORS)})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _answer(request, errors.MalformedRequest()) or defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _answer(request, errors.PermissionMissing()) or defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _answer(request, errors.NotFound()) or defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    return _answer(request, errors.InternalError()) or _broken()


def _broken() -> HttpResponse:
    """Return the page for people, with the id by which the log is searched; it needs neither request nor database."""
    page = render_to_string("500.html", {"request_id": context.current().request_id})
    return HttpResponse(page, status=HTTPStatus.INTERNAL_SERVER_ERROR)


def _answer(request: HttpRequest, error: DomainError) -> HttpResponse | None:
    return problem_response(request, error) if request.path.startswith(PROGRAMS) else None


def problem_response(request: HttpRequest, error: DomainError) -> HttpResponse:
    """Return the problem document outside of any view."""
    headers = {"Retry-After": str(error.extra["retry_after"])} if "retry_after" in error.extra else {}
    body = to_json(problem(error, request))
    response = HttpResponse(body, status=error.status, headers=headers, content_type=PROBLEM_JSON)
    response.problem_code = error.code  # type: ignore[attr-defined]  # for the line that is logged
    return response
