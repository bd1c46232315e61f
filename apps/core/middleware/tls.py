"""The API is asked over TLS alone; Django's SecurityMiddleware redirects pages, which people open."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from apps.core.api.problems import PROGRAMS, problem_response
from apps.core.errors import TlsRequired


class TlsMiddleware:
    """Refuse what a program sent over plain HTTP, wherever pages would be redirected."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.SECURE_SSL_REDIRECT and not request.is_secure() and request.path_info.startswith(PROGRAMS):
            return problem_response(request, TlsRequired())
        return self.get_response(request)
