"""Runs a POST once per Idempotency-Key. Every POST view goes through `run_idempotently`, but for two.

Order intake takes its key and keeps its answer in statements of its own, of the same rooms' making; whoever accepts an
invitation belongs to no tenant before. Both share `read_key`, `fingerprint` and `replay`.
"""

import hashlib
import re
from collections.abc import Callable
from contextlib import suppress
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal

import msgspec
from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock, context
from apps.core.api.exceptions import problem_handler, to_domain_error
from apps.core.api.parsers import UNREADABLE
from apps.core.api.renderers import to_json
from apps.core.api.views import TenantView
from apps.core.scope import write_scope
from apps.idempotency.errors import IdempotencyKeyInvalid, IdempotencyKeyRequired
from apps.idempotency.services import keep_answer, take_key
from apps.idempotency.types import Answer

# Refusals that are an outcome, hence kept. All others leave the key free: the same request may succeed later.
_KEPT_REFUSALS = (409, 422)
_KEPT_HEADERS = ("ETag", "Location")
_KEY = re.compile(r"[\x20-\x7e]{1,255}")
# Notation does not make another request: whitespace, escapes, the order of members, how a number is written.
_canonical = msgspec.json.Encoder(order="deterministic", decimal_format="number")
# No number of a body is longer, so nothing is ever rounded.
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_MOST_DIGITS = 40


def run_idempotently(view: TenantView, execute: Callable[[], Response], *, secret: bool = False) -> Response:
    """Run `execute` in one write scope, at most once per key of the tenant; return its answer or the first one.

    `execute` looks up (404), parses (400) and calls one service. Its 2xx answers and its 409 and 422 refusals
    are kept with the key in the same transaction, and replayed byte for byte. Everything else rolls back the
    transaction, so the key stays free. With `secret` the answer is kept encrypted, for 24 hours.

    Raises:
        IdempotencyKeyRequired, IdempotencyKeyInvalid: see there; and whatever `take_key` raises.
    """
    key = read_key(view.request, required=view.requires_key)
    if key is None:
        with write_scope(view.actor):
            return execute()
    now = clock.now()
    with write_scope(view.actor):
        kept = take_key(key=key, fingerprint=fingerprint_of(view, secret=secret), now=now)
        if kept is not None:
            return replay(kept)
        response = _run(view, execute)
        keep_answer(key=key, answer=answer_of(response), secret=secret, now=now)
        return response


def read_key(request: Request, *, required: bool) -> str | None:
    """Return the request's key, or None without one.

    Raises:
        IdempotencyKeyRequired, IdempotencyKeyInvalid: see there.
    """
    key: str | None = request.headers.get("Idempotency-Key")
    if key is None:
        if required:
            raise IdempotencyKeyRequired
        return None
    if not _KEY.fullmatch(key):
        raise IdempotencyKeyInvalid
    return key


def fingerprint_of(view: TenantView, *, secret: bool = False) -> bytes:
    """Return SHA-256 over method, path and canonical body, within the tenant.

    A client whose API key was exchanged between two tries is still the one that asked. But a secret is for the
    principal that it was first told to, and who may see single objects alone gets no answer about others: then the
    principal is part of it. It reads the raw body, not `request.data`: a malformed one is `execute`'s to refuse.
    """
    actor = view.actor
    is_own = secret or context.current().objects is not None
    return fingerprint(view.request, str(actor.api_key_id or actor.user_id) if is_own else "")


def fingerprint(request: Request, principal: str) -> bytes:
    """Return SHA-256 over principal, method, path and canonical body."""
    raw: bytes = request._request.body or b"{}"
    with suppress(*UNREADABLE):
        raw = _canonical.encode(_decoder.decode(raw))
    parts = [principal.encode(), str(request.method).encode(), request.path.encode(), raw]
    return hashlib.sha256(b"\n".join(parts)).digest()


def _number(text: str) -> int | Decimal:
    """Return a number with a fraction or an exponent in the one form of its value, exactly."""
    value = Decimal(text).normalize(_EXACT)
    return int(value) if value.adjusted() < _MOST_DIGITS and value == value.to_integral_value() else value


_decoder = msgspec.json.Decoder(float_hook=_number)


def _run(view: TenantView, execute: Callable[[], Response]) -> Response:
    try:
        with transaction.atomic():
            response = execute()
    except Exception as exception:
        error = to_domain_error(exception)
        if error is None or error.status not in _KEPT_REFUSALS:
            raise
        refusal = problem_handler(exception, {"request": view.request, "view": view})
        assert refusal is not None, "every domain error has its problem document"
        return refusal
    assert response.status_code < 400, "execute raises its refusals"
    return response


def answer_of(response: Response) -> Answer:
    """Return what is kept of a response."""
    headers = {name: response[name] for name in _KEPT_HEADERS if response.has_header(name)}
    if response.content_type:
        headers["Content-Type"] = response.content_type
    body = b"" if response.data is None else to_json(response.data)
    return Answer(status=response.status_code, headers=headers, body=body)


def replay(answer: Answer) -> Response:
    """Return the response that an answer was kept of."""
    headers = dict(answer.headers)
    content_type = headers.pop("Content-Type", None)
    return Response(
        msgspec.Raw(answer.body) if answer.body else None,
        status=answer.status,
        headers={**headers, "Idempotency-Replayed": "true"},
        content_type=content_type,
    )
