"""Read the query parameters that several endpoints share."""

from datetime import UTC, datetime

from aiohttp import web

from sandbox.providers.alpaca.drafts import invalid


def choice(request: web.Request, name: str, choices: tuple[str, ...]) -> str:
    """Return a parameter that is one of some words, the first of them when it is absent."""
    value = request.query.get(name) or choices[0]
    if value not in choices:
        invalid(f"invalid {name}")
    return value


def count(request: web.Request, name: str, *, default: int, most: int) -> int:
    """Return a number of rows."""
    value = request.query.get(name)
    if not value:
        return default
    if not (value.isascii() and value.isdigit() and 0 < int(value[:6]) <= most):
        invalid(f"{name} must be between 1 and {most}")
    return int(value)


def instant(request: web.Request, name: str) -> float | None:
    """Return an RFC 3339 time or a date (UTC) as a unix instant."""
    value = request.query.get(name)
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value.replace(" ", "+"))
    except ValueError:
        invalid(f"invalid {name}")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def names(request: web.Request, name: str) -> list[str]:
    """Return a comma-separated list."""
    return [each.strip() for each in request.query.get(name, "").split(",") if each.strip()]
