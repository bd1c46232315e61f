"""The pages that problem types resolve to, and problem documents for errors outside of the API's views.

Who does not ask for a page is told what is wrong as the API tells it, everywhere but in the admin.
"""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt

from apps.core import context, errors
from apps.core.api.exceptions import PROBLEM_JSON, problem
from apps.core.api.renderers import to_json
from apps.core.errors import ERRORS, DomainError
from apps.core.logs import PROBES

API_PREFIX = "/api/"
# Where programs alone read what is wrong: clients of the API, and providers that send webhooks.
PROGRAMS = (API_PREFIX, "/hooks/")
_PEOPLE = "/admin/"

View = Callable[..., HttpResponseBase]


def takes(*methods: str) -> Callable[[View], View]:
    """Answer any other method with a 405, in a view that is none of the API's framework.

    Such views need no form's token: they read alone, or know by a signature who sends.
    """

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def taking(request: HttpRequest, *args: Any, **path: Any) -> HttpResponseBase:
            if request.method in methods:
                return view(request, *args, **path)
            response = refusal(request, errors.MethodNotAllowed())
            response["Allow"] = ", ".join(methods)
            return response

        return taking

    return decorate


reads = takes("GET", "HEAD")


@reads
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
    return problem_response(request, error) if _is_for_a_program(request) else None


def _is_for_a_program(request: HttpRequest) -> bool:
    if request.path.startswith(PROGRAMS) or request.path in PROBES:
        return True
    return not request.path.startswith(_PEOPLE) and "text/html" not in request.headers.get("Accept", "")


def refusal(request: HttpRequest, error: DomainError) -> HttpResponse:
    """Return what a request is refused with before any view or form has it: a problem document, or a page."""
    if _is_for_a_program(request):
        return problem_response(request, error)
    told = {"error": error, "request_id": context.current().request_id}
    response = HttpResponse(render_to_string("core/refused.html", told), status=error.status)
    response.problem_code = error.code  # type: ignore[attr-defined]  # for the line that is logged
    return response


def problem_response(request: HttpRequest, error: DomainError) -> HttpResponse:
    """Return the problem document outside of any view."""
    headers = {"Retry-After": str(error.extra["retry_after"])} if "retry_after" in error.extra else {}
    body = to_json(problem(error, request))
    response = HttpResponse(body, status=error.status, headers=headers, content_type=PROBLEM_JSON)
    response.problem_code = error.code  # type: ignore[attr-defined]  # for the line that is logged
    return response
