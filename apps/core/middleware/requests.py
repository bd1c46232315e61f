"""What every request passes first: whose address it has, its id and trace, and the probes' short way."""

import logging
import re
import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import resolve

from apps.core import context
from apps.core.ids import new_id
from apps.core.logs import PROBES
from apps.core.redaction import redact_text

logger = logging.getLogger("finops.request")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_QUIET = (*PROBES, "/static/")
# Somebody was kept out: what an operator wants to see even where reads and writes are not logged.
_REFUSALS = (401, 403, 429)


class TrustedProxyMiddleware:
    """Put the client's address in the place of the proxy's in REMOTE_ADDR, if the proxy is one of ours.

    What a client puts into X-Forwarded-For stands to the left of what our proxies append, so the right-most address
    that is none of `TRUSTED_PROXIES` is the client's. Behind a malformed one nothing is believed. Once proxies are
    named, X-Forwarded-Proto is theirs alone, too.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if _is_trusted(_parse(request.META.get("REMOTE_ADDR", ""))):
            client = _client(request.META.get("HTTP_X_FORWARDED_FOR", ""))
            if client is not None:
                request.META["REMOTE_ADDR"] = str(client)
        elif settings.TRUSTED_PROXIES:
            request.META.pop("HTTP_X_FORWARDED_PROTO", None)
        return self.get_response(request)


def _client(forwarded: str) -> IPv4Address | IPv6Address | None:
    for text in reversed(forwarded.split(",")):
        address = _parse(text.strip())
        if not _is_trusted(address):
            return address
    return None


def _is_trusted(address: IPv4Address | IPv6Address | None) -> bool:
    return address is not None and any(address in network for network in settings.TRUSTED_PROXIES)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        # A zone means something on the proxy's machine alone.
        return None if address.scope_id else address.ipv4_mapped or address
    return address


class ProbeMiddleware:
    """Answer the probes before the checks of host and TLS: they ask by address, from inside."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info not in PROBES:
            return self.get_response(request)
        response: HttpResponse = resolve(request.path_info).func(request)
        return response


class RequestContextMiddleware:
    """Accept or make `X-Request-ID`, continue `traceparent`, write one access log line a request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        offered = request.headers.get("X-Request-ID", "")
        # Anything else could forge log lines, overflow the column or keep a secret, so it is replaced, not trimmed.
        is_good = _REQUEST_ID.fullmatch(offered) and redact_text(offered) == offered
        request_id = offered if is_good else str(new_id())
        trace = context.continue_trace(request.headers.get("traceparent", ""))
        started = time.perf_counter()
        with context.use(context.Context(request_id=request_id, traceparent=trace)):
            response = self.get_response(request)
            response["X-Request-ID"] = request_id
            if not request.path.startswith(_QUIET):
                logger.log(
                    logging.WARNING if response.status_code in _REFUSALS else logging.INFO,
                    "request.finished",
                    extra={
                        "method": request.method,
                        "path": request.path,
                        "ip": request.META.get("REMOTE_ADDR", ""),
                        "status": response.status_code,
                        "code": getattr(response, "problem_code", ""),
                        "duration_ms": round((time.perf_counter() - started) * 1000, 1),
                    },
                )
        return response
