"""The pages that staff see who cannot sign in at this moment."""

from math import ceil
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import ngettext

from apps.core.errors import DomainError
from apps.users.services import seconds_locked


def locked_out(
    request: HttpRequest, _response: HttpResponse | None = None, _credentials: dict[str, Any] | None = None
) -> HttpResponse:
    """Say that signing in is locked, for how long, and what to do. django-axes calls it."""
    seconds = seconds_locked(request)
    context = {
        **admin.site.each_context(request),
        "limit": settings.AXES_FAILURE_LIMIT,
        "wait": _in_words(seconds),
    }
    response = render(request, "backoffice/locked_out.html", context, status=429)
    response["Retry-After"] = str(seconds)
    return response


def _in_words(seconds: int) -> str:
    minutes, hours = ceil(seconds / 60), ceil(seconds / 3600)
    if minutes <= 60:
        return ngettext("%(count)s minute", "%(count)s minutes", minutes) % {"count": minutes}
    return ngettext("%(count)s hour", "%(count)s hours", hours) % {"count": hours}


def not_now(request: HttpRequest, refusal: DomainError) -> HttpResponse:
    """Say that nobody may try at this moment: too many attempts from the address, or they cannot be counted."""
    seconds = str(refusal.extra.get("retry_after", 1))
    context = {**admin.site.each_context(request), "refusal": refusal, "seconds": seconds}
    response = render(request, "backoffice/not_now.html", context, status=refusal.status)
    response["Retry-After"] = seconds
    return response
