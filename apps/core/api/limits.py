"""How often clients may ask, and how much at once: for each credential, tenant, address and class of routes.

Every answer of the API tells where its caller stands: draft-ietf-httpapi-ratelimit-headers-10. A policy's quota `q` is
what may come at once, and `w` the seconds in which it comes back.
"""

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _

from apps.core.addresses import place_of
from apps.core.api.problems import API_PREFIX, problem_response
from apps.core.errors import RateLimited, ServiceUnavailable, TooManyAtOnce
from apps.core.principal import Principal
from apps.core.shared import gcra
from apps.core.shared.gcra import Admission, Bucket, SharedStateAway, Slots, Tally

SIGN_IN = "sign_in"
_PART = "request_limits"
# A request that takes longer than this is no longer counted as in flight; statements end after 30 seconds.
LEASE_SECONDS = 60.0
TALLY = "finops:{requests}:tally"  # of each tenant, until a job stores it
# Where a rate has its third number: requests a second, at once out of the bucket, in flight (left out: any number).
IN_FLIGHT = 2


class Standing(NamedTuple):
    """What was charged for a request, by the names of the policies, and what came of it."""

    buckets: Mapping[str, Bucket]
    slots: Sequence[Slots]
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

    The slots that it takes are its own until the middleware gives them back.

    Raises:
        RateLimited: one of the buckets is empty; none was charged.
        TooManyAtOnce: as many requests of the caller as may be are in flight.
        ServiceUnavailable: see above.
    """
    address = place_of(request.META.get("REMOTE_ADDR", ""))
    whose = _owners(principal) if principal else {"address": address}
    whose |= dict.fromkeys(also, address)
    rates = {name: _rate(name, principal) for name in whose}
    buckets = {name: _bucket(name, owner, rates[name]) for name, owner in whose.items()}
    slots = [_slots(name, owner, rates[name]) for name, owner in whose.items() if len(rates[name]) > IN_FLIGHT]
    try:
        admission = gcra.admit(
            list(buckets.values()),
            part=_PART,
            slots=slots,
            lease_seconds=LEASE_SECONDS,
            tally=Tally(TALLY, str(principal.actor.tenant_id)) if principal else None,
            only_shared=SIGN_IN in buckets,
        )
    except SharedStateAway as error:
        message = _("Nobody can sign in while attempts cannot be counted.")
        raise ServiceUnavailable(message, retry_after=2) from error
    request.rate_limit = Standing(buckets, slots, admission)  # type: ignore[attr-defined]  # for the middleware
    if admission.wait:
        raise RateLimited(retry_after=ceil(admission.wait))
    if admission.taken:
        message = _("At most %(number)s requests at once.") % {"number": admission.taken.number}
        raise TooManyAtOnce(message, retry_after=1)


def _owners(principal: Principal) -> dict[str, str]:
    actor = principal.actor
    # Staff who look as a member take nothing of what that member may ask.
    user_id = actor.impersonator_id or actor.user_id
    own = {"key": str(actor.api_key_id)} if actor.api_key_id else {"user": str(user_id)}
    return {**own, "tenant": str(actor.tenant_id)}


def _rate(name: str, principal: Principal | None) -> Sequence[int]:
    """Return a policy's numbers: the tenant's own, and what they leave out as everywhere."""
    everywhere: Sequence[int] = settings.RATE_LIMITS[name]
    own = principal.rates.get(name, ()) if principal else ()
    return [*own, *everywhere[len(own) :]]


def _bucket(name: str, owner: str, rate: Sequence[int]) -> Bucket:
    requests, burst = rate[:IN_FLIGHT]
    # One hash slot for all, as a cluster wants of the keys of one script.
    return Bucket.of(f"finops:{{requests}}:{name}:{owner}", requests=requests, seconds=1, burst=burst)


def _slots(name: str, owner: str, rate: Sequence[int]) -> Slots:
    return Slots(f"finops:{{requests}}:{name}:{owner}:in-flight", rate[IN_FLIGHT])


class RateLimitMiddleware:
    """Put the caller's standing on every answer of the API, and give back the slots that it held meanwhile.

    What no view has charged, a wrong path, is charged here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            response = self._answer(request)
        finally:
            # Before the answer is sent: a client that has one asks the next, and finds its slot free.
            standing: Standing | None = getattr(request, "rate_limit", None)
            if standing and standing.admission.lease:
                gcra.release(standing.slots, standing.admission.lease, part=_PART)
        for name, value in (standing.headers() if standing else {}).items():
            response[name] = value
        return response

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = self.get_response(request)
        if request.path.startswith(API_PREFIX) and not hasattr(request, "rate_limit"):
            try:
                charge(request, None)
            except (RateLimited, TooManyAtOnce) as error:
                return problem_response(request, error)
        return response
