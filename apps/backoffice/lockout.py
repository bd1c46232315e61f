"""The pages that staff see who cannot sign in at this moment."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.core.errors import DomainError


def locked_out(
    request: HttpRequest, _response: HttpResponse | None = None, _credentials: dict[str, Any] | None = None
) -> HttpResponse:
    """Say that signing in is locked, for how long, and what to do. django-axes calls it."""
    context = {
        **admin.site.each_context(request),
        "limit": settings.AXES_FAILURE_LIMIT,
        "minutes": round(settings.AXES_COOLOFF_TIME * 60),
    }
    return render(request, "backoffice/locked_out.html", context, status=429)


def not_now(request: HttpRequest, refusal: DomainError) -> HttpResponse:
    """Say that nobody may try at this moment: too many attempts from the address, or they cannot be counted."""
    seconds = str(refusal.extra.get("retry_after", 1))
    context = {**admin.site.each_context(request), "refusal": refusal, "seconds": seconds}
    response = render(request, "backoffice/not_now.html", context, status=refusal.status)
    response["Retry-After"] = seconds
    return response
