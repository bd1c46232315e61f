"""What a request or a job carries through every layer: request id, trace, actor. Read by logs, jobs and events."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from apps.core.actor import Actor
from apps.core.objects import Objects

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Context:
    """One request's or one job's identity. `traceparent` follows W3C Trace Context level 1.

    `objects` are all that is read of the tenant, where the permission for the request is for single ones.
    """

    request_id: str = ""
    traceparent: str = ""
    actor: Actor | None = None
    objects: Objects | None = None


_NOWHERE = Context()
_current: ContextVar[Context] = ContextVar("finops_context", default=_NOWHERE)


def current() -> Context:
    """Return the context of the running request or job; an empty one outside of both."""
    return _current.get()


@contextmanager
def use(context: Context) -> Iterator[Context]:
    """Make `context` current until the block ends."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


def set_actor(actor: Actor) -> None:
    """Name the actor of the running request, once it is authenticated."""
    _current.set(replace(_current.get(), actor=actor))


def limit_to(objects: Objects) -> None:
    """Let what runs read these objects of its tenant alone."""
    _current.set(replace(_current.get(), objects=objects))


@contextmanager
def whole_tenant() -> Iterator[Context]:
    """Let the block read all of the tenant: for a service that has judged the object that it is about."""
    with use(replace(_current.get(), objects=None)) as context:
        yield context


def is_impersonated() -> bool:
    """Tell whether what runs is done by staff who look at a tenant as one of its members."""
    actor = _current.get().actor
    return actor is not None and actor.impersonator_id is not None


def continue_trace(traceparent: str) -> str:
    """Return a traceparent with a new span in the given trace, or in a new trace when it is malformed."""
    span = secrets.token_hex(8)
    if _TRACEPARENT.fullmatch(traceparent):
        return f"{traceparent[:36]}{span}-{traceparent[-2:]}"
    return f"00-{secrets.token_hex(16)}-{span}-01"
