"""Whether a password is known from a breach, without telling anybody the password: Have I Been Pwned, by range.

Sent are the first five of the forty digits of the SHA-1; the answer lists how the hashes go on that begin so, each with
how often it was seen. https://haveibeenpwned.com/API/v3#SearchingPwnedPasswordsByRange
"""

import hashlib
import logging
import time

import httpx
from django.conf import settings
from prometheus_client import Counter

from apps.core.guard import assert_no_transaction

CHECKS = Counter("finops_breached_password_checks_total", "Passwords compared with those of breaches", ["outcome"])
_ADDRESS = "https://api.pwnedpasswords.com"
_SECONDS = 2.0
# Padded so that its length tells nobody on the way which range was asked for; such lines have the count 0.
_HEADERS = {"Add-Padding": "true", "User-Agent": "finops"}
_PREFIX_LENGTH = 5

logger = logging.getLogger(__name__)


def is_breached(password: str) -> bool:
    """Tell whether a password is known; when nobody answers in two seconds it counts as unknown.

    Called outside of transactions. Nothing is asked where BREACHED_PASSWORDS is off.
    """
    if not settings.BREACHED_PASSWORDS:
        return False
    assert_no_transaction()
    digits = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
    try:
        seen = _seen(digits[:_PREFIX_LENGTH], digits[_PREFIX_LENGTH:])
    except (httpx.HTTPError, TimeoutError, ValueError) as error:
        CHECKS.labels("unavailable").inc()
        logger.warning("a password could not be compared with those of breaches", extra={"error": type(error).__name__})
        return False
    CHECKS.labels("breached" if seen else "unknown").inc()
    return seen > 0


def _seen(prefix: str, rest: str) -> int:
    """Return how often a hash was seen.

    Raises:
        HTTPError, TimeoutError, ValueError: no answer, none in time, or none that can be read.
    """
    base = f"{settings.SANDBOX_URL}/pwnedpasswords" if settings.SANDBOX_URL else _ADDRESS
    until = time.monotonic() + _SECONDS
    with (
        httpx.Client(timeout=_SECONDS, trust_env=not settings.SANDBOX_URL, headers=_HEADERS) as client,
        client.stream("GET", f"{base}/range/{prefix}") as answer,
    ):
        answer.raise_for_status()
        for line in answer.iter_lines():
            # The client's time-out is for each piece of the answer; this one is for the whole.
            if time.monotonic() > until:
                raise TimeoutError
            found, _colon, count = line.partition(":")
            if found.upper() == rest:
                return int(count)
    return 0
