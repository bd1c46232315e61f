"""Write Alpaca's scalars and errors.

Shapes: the trading and market data OpenAPI documents, and what Alpaca's SDKs record. Where only clients tell
(messages of refusals, `{"code", "message"}` of 401 and 429), their most common reading is taken.
"""

import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

NEW_YORK = ZoneInfo("America/New_York")
INVALID = 40010001
MALFORMED = 40010000
UNAUTHORIZED = 40110000
FORBIDDEN = 40310000
NOT_FOUND = 40410000
UNPROCESSABLE = 42210000
USUAL = {
    400: (MALFORMED, "request body format is invalid"),
    401: (UNAUTHORIZED, "request is not authorized"),
    403: (FORBIDDEN, "forbidden"),
    404: (NOT_FOUND, "endpoint not found"),
    405: (40510000, "method not allowed"),
    422: (UNPROCESSABLE, "unprocessable entity"),
    429: (42910000, "rate limit exceeded"),
    500: (50010000, "internal server error occurred"),
    503: (50310000, "service unavailable"),
    504: (50410000, "request timed out"),
}


def answer(value: Any, status: int = 200) -> web.Response:
    """Return a JSON answer."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return web.Response(status=status, body=body, content_type="application/json", charset="utf-8")


def error(status: int, code: int | None = None, message: str | None = None, **extra: Any) -> web.Response:
    """Return an answer in Alpaca's error shape."""
    usual = USUAL.get(status, (status * 100_000 + 10_000, "request failed"))
    return answer({**extra, "code": code or usual[0], "message": message or usual[1]}, status)


def text(value: Decimal) -> str:
    """Return a number as Alpaca writes it: plain, without trailing zeros."""
    plain = format(value, "f")
    plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
    return "0" if plain in ("", "-0", "-") else plain


def text_or_none(value: Decimal | None) -> str | None:
    """Return a number that may be absent."""
    return None if value is None else text(value)


def stamp(instant: float) -> str:
    """Return RFC 3339 (UTC, microseconds), as orders and activities carry it."""
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def stamp_or_none(instant: float | None) -> str | None:
    """Return an instant that may not have come."""
    return None if instant is None else stamp(instant)


def stamp_nanoseconds(nanoseconds: int) -> str:
    """Return RFC 3339 (UTC, nanoseconds), as quotes and trades carry it."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def digest(*parts: object) -> bytes:
    """Return a stable digest of some values."""
    return sha256("\x1f".join(map(str, parts)).encode()).digest()


def wire_uuid(*parts: object) -> str:
    """Return a stable id in UUID form."""
    return str(uuid.UUID(bytes=digest(*parts)[:16], version=4))


def body_of(response: web.Response) -> Any:
    """Return the JSON of an answer."""
    return json.loads(response.body) if isinstance(response.body, bytes) else None
