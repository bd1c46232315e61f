"""How often clients may ask: a token bucket for each credential, tenant, address and class of routes.

Every answer of the API tells where its caller stands: draft-ietf-httpapi-ratelimit-headers-10. A policy's quota `q` is
what may come at once, and `w` the seconds in which it comes back.
"""

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _

from apps.core import gcra
from apps.core.api.problems import API_PREFIX, problem_response
from apps.core.errors import RateLimited, ServiceUnavailable
from apps.core.gcra import Admission, Bucket, SharedStateAway
from apps.core.principal import Principal

SIGN_IN = "sign_in"
_PART = "request_limits"


class Standing(NamedTuple):
    """What was charged for a request, by the names of the policies, and what came of it."""

    buckets: Mapping[str, Bucket]
    admission: Admission

    def headers(self) -> dict[str, str]:
        """Return what an answer says of it."""
        policies, states = [], []
        for (name, bucket), full_in in zip(self.buckets.items(), self.admission.full_in, strict=True):
            window = bucket.tolerance + bucket.interval
            burst = window // bucket.interval
            left = max(0, (window - full_in) // bucket.interval)
            policies.append(f'"{name}";q={burst};w={ceil(window / 1e6)}')
            states.append(f'"{name}";r={left};t={ceil(full_in / 1e6)}')
        return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(states)}


def charge(request: HttpRequest, principal: Principal | None, *, also: Sequence[str] = ()) -> None:
    """Charge a request to its caller, and by address to the policies that its route names.

    While Valkey is away each process counts by itself; but nobody signs in, since guesses would go uncounted.

    Raises:
        RateLimited: one of the buckets is empty; none was charged.
        ServiceUnavailable: see above.
    """
    address = request.META.get("REMOTE_ADDR", "")
    whose = _owners(principal) if principal else {"address": address}
    whose |= dict.fromkeys(also, address)
    rates = {**settings.RATE_LIMITS, **(principal.rates if principal else {})}
    buckets = {name: _bucket(name, owner, rates[name]) for name, owner in whose.items()}
    try:
        admission = gcra.admit(list(buckets.values()), part=_PART, only_shared=SIGN_IN in buckets)
    except SharedStateAway as error:
        message = _("Nobody can sign in while attempts cannot be counted.")
        raise ServiceUnavailable(message, retry_after=2) from error
    request.rate_limit = Standing(buckets, admission)  # type: ignore[attr-defined]  # for the middleware
    if admission.wait:
        raise RateLimited(retry_after=ceil(admission.wait))


def _owners(principal: Principal) -> dict[str, str]:
    actor = principal.actor
    # Staff who look as a member take nothing of what that member may ask.
    user_id = actor.impersonator_id or actor.user_id
    own = {"key": str(actor.api_key_id)} if actor.api_key_id else {"user": str(user_id)}
    return {**own, "tenant": str(actor.tenant_id)}


def _bucket(name: str, owner: str, rate: Sequence[int]) -> Bucket:
    requests, burst = rate
    # One hash slot for all, as a cluster wants of the keys of one script.
    return Bucket.of(f"finops:{{requests}}:{name}:{owner}", requests=requests, seconds=1, burst=burst)


class RateLimitMiddleware:
    """Put the caller's standing on every answer of the API; what no view has charged, a wrong path, is charged here."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = self.get_response(request)
        if not request.path.startswith(API_PREFIX):
            return response
        if not hasattr(request, "rate_limit"):
            try:
                charge(request, None)
            except RateLimited as error:
                response = problem_response(request, error)
        standing: Standing | None = getattr(request, "rate_limit", None)
        for name, value in (standing.headers() if standing else {}).items():
            response[name] = value
        return response
