"""Gives every request its id and trace, and every answer the id back."""

import logging
import re
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from apps.core import context
from apps.core.ids import new_id
from apps.core.logs import PROBES

logger = logging.getLogger("finops.request")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_QUIET = (*PROBES, "/static/")


class RequestContextMiddleware:
    """Accept or make `X-Request-ID`, continue `traceparent`, write one access log line a request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        offered = request.headers.get("X-Request-ID", "")
        # Anything else could forge log lines or overflow the column, so it is replaced, not trimmed.
        request_id = offered if _REQUEST_ID.fullmatch(offered) else str(new_id())
        trace = context.continue_trace(request.headers.get("traceparent", ""))
        started = time.perf_counter()
        with context.use(context.Context(request_id=request_id, traceparent=trace)):
            response = self.get_response(request)
            response["X-Request-ID"] = request_id
            if not request.path.startswith(_QUIET):
                logger.info(
                    "request.finished",
                    extra={
                        "method": request.method,
                        "path": request.path,
                        "status": response.status_code,
                        "duration_ms": round((time.perf_counter() - started) * 1000, 1),
                    },
                )
        return response
