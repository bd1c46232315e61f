"""Which headers of its own an endpoint may have, and what becomes of them when some are given."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.webhooks.errors import HeaderRefused

MOST_HEADERS = 20
LONGEST_NAME, LONGEST_VALUE, LONGEST_TOGETHER = 64, 1_024, 8_192
# RFC 9110 5.1 and 5.5; of values nothing beyond ASCII, since receivers read that in different ways.
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[!-~](?:[ -~\t]*[!-~])?")
# Of one hop alone (RFC 9110 7.6.1), what frames and describes the message, and where it comes from.
_RESERVED = {
    "accept-encoding",
    "connection",
    "date",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-real-ip",
}
_RESERVED_BEGINNINGS = ("content-", "finops-", "proxy-", "sec-", "webhook-", "x-forwarded-")


class Merged(NamedTuple):
    """All headers of an endpoint after a change, and the names of those that it has set anew."""

    headers: dict[str, str]
    set_anew: list[str]


def merge(known: Mapping[str, str], given: Mapping[str, str | None]) -> Merged:
    """Return the headers with those given in place, None taking one away; the case of names is of no account.

    Raises:
        HeaderRefused: see the class.
    """
    problems = [
        {"field": f"headers.{name[:LONGEST_NAME]}", "code": "header_refused", "message": str(problem)}
        for name, value in given.items()
        for problem in _problems(name, value, given)
    ]
    lowered = {name.lower() for name in given}
    kept = {name: value for name, value in known.items() if name.lower() not in lowered}
    headers = kept | {name: value for name, value in given.items() if value is not None}
    if len(headers) > MOST_HEADERS or sum(len(name) + len(value) for name, value in headers.items()) > LONGEST_TOGETHER:
        problems.append({"field": "headers", "code": "header_refused", "message": str(_("Too much altogether."))})
    if problems:
        raise HeaderRefused(errors=problems)
    return Merged(headers, [name for name, value in given.items() if value is not None and known.get(name) != value])


def _problems(name: str, value: str | None, given: Mapping[str, str | None]) -> Iterator[Promise]:
    lower = name.lower()
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        yield _("This is not the name of a header.")
    elif lower in _RESERVED or lower.startswith(_RESERVED_BEGINNINGS):
        yield _("This header is the platform's own.")
    elif sum(other.lower() == lower for other in given) > 1:
        yield _("This header is given more than once.")
    if value is not None and (len(value) > LONGEST_VALUE or not _VALUE.fullmatch(value)):
        yield _("A value is printable ASCII, without blanks at its ends.")
