"""One request: signed, sent, its answer judged. Never raises for what a receiver does."""

import logging
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import aiohttp

from apps.core import egress
from apps.core.redaction import MASK, redact_body
from apps.core.retry_after import parse_retry_after
from apps.webhooks.signing import sign
from apps.webhooks.types import GONE_STATUS, SECRET_UNREADABLE, Attempt, Claim

logger = logging.getLogger(__name__)

EXCERPT_BYTES: Final = 1_024
# Read along with it, so that a secret that the end of the excerpt cuts in two is still known for one.
_BEHIND_EXCERPT_BYTES: Final = 512
# A header's value that is shorter would mask what happens to look like it, and tells little.
_SHORTEST_HIDDEN: Final = 4
# What is read of an answer so that the connection can be used again; a longer one costs its sender the connection.
READ_BYTES: Final = 16_384


async def send(session: aiohttp.ClientSession, claim: Claim, *, at: datetime) -> Attempt:
    """Post a delivery, and return what became of it."""
    started = time.monotonic()
    status: int | None = None
    excerpt, error, retry_after = b"", "", None
    try:
        if not claim.keys:
            error = SECRET_UNREADABLE
        else:
            url = egress.check_url(claim.url)
            request = session.post(url, data=claim.body, headers=_headers(claim, at), allow_redirects=False)
            async with request as response:
                status, error = response.status, _error_of(response.status)
                retry_after = parse_retry_after(response.headers.get("Retry-After"), now=at)
                excerpt = await _read(response)
    except egress.EgressRefused:
        error = "address_refused"
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as problem:
        # Once the status is there it stands, whatever becomes of the rest of the answer.
        if isinstance(problem, aiohttp.ClientResponseError) and problem.status:
            status, error = problem.status, _error_of(problem.status)
        error = error if status is not None else _error_of_exception(problem)
    except Exception:  # an answer that nobody has thought of: it fails its attempt, and costs its sender no slot
        logger.exception("webhooks.answer_unforeseen", extra={"delivery_id": str(claim.id)})
        error = error if status is not None else "malformed_answer"
    return Attempt(
        claim=claim,
        at=at,
        duration_ms=round((time.monotonic() - started) * 1000),
        status_code=status,
        error=error,
        response_excerpt=_shown(excerpt, hidden=claim.headers.values()),
        retry_after=retry_after,
    )


def _headers(claim: Claim, at: datetime) -> Mapping[str, str]:
    """Return the endpoint's own headers, those of Standard Webhooks, and ours that let a receiver see gaps."""
    message_id, timestamp = str(claim.id), int(at.timestamp())
    return {
        **claim.headers,
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(message_id, timestamp, claim.body, claim.keys),
        "finops-version": claim.api_version,
        "finops-sequence": str(claim.sequence),
        "finops-previous-id": str(claim.previous_id or ""),
    }


def _error_of(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return "redirect_refused"
    return "gone" if status == GONE_STATUS else "http_error"


def _error_of_exception(problem: Exception) -> str:
    if isinstance(problem, TimeoutError):
        return "timeout"
    if isinstance(problem, aiohttp.ClientConnectorDNSError):
        return "name_not_resolved"
    if isinstance(problem, aiohttp.ClientSSLError):
        return "tls_failed"
    if isinstance(problem, aiohttp.ClientResponseError | aiohttp.ClientPayloadError):
        return "malformed_answer"
    return "connection_failed"


async def _read(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    while len(content) <= READ_BYTES:
        piece = await response.content.read(READ_BYTES)
        if not piece:
            break
        content += piece
    else:
        response.close()
    return bytes(content[: EXCERPT_BYTES + _BEHIND_EXCERPT_BYTES])


def _shown(excerpt: bytes, *, hidden: Iterable[str]) -> str:
    """Return what is kept of an answer: readable, without secrets, and without NUL, which PostgreSQL refuses.

    A receiver that says what it was sent says the endpoint's own headers, too: `hidden` are their values.
    """
    text = excerpt.decode(errors="replace").replace("\0", "\ufffd")
    for value in sorted(hidden, key=len, reverse=True):
        if len(value) >= _SHORTEST_HIDDEN:
            text = text.replace(value, MASK)
    return redact_body(text)[:EXCERPT_BYTES]
