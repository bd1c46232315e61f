"""Numbers in the sidebar: what waits for a person. Two short queries a page."""

from django.http import HttpRequest

from apps.backoffice import selectors
from apps.core.admin import number

BADGE_AT_MOST = 999
_CACHE = "_waiting_for_people"


def incidents(request: HttpRequest) -> str:
    """Return how many incidents stand, or nothing."""
    return _text(_counts(request)[0])


def dead_letters(request: HttpRequest) -> str:
    """Return how many jobs are dead, or nothing."""
    return _text(_counts(request)[1])


def _counts(request: HttpRequest) -> tuple[int, int]:
    if not hasattr(request, _CACHE):
        setattr(request, _CACHE, selectors.waiting_for_people())
    counts: tuple[int, int] = getattr(request, _CACHE)
    return counts


def _text(count: int) -> str:
    if count > BADGE_AT_MOST:
        return f"{number(BADGE_AT_MOST)}+"
    return number(count) if count else ""
