"""What is declared beside what is there, thing by thing."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.db import connection
from django.utils.translation import gettext_lazy as _

from apps.core.verification import Finding, Seen

NOTHING = "nothing"
REMEDY = _(
    "The database was changed past the migrations. Find out who did it and why; then put back what is expected, as the "
    "owner, or run manage.py migrate for what it grants."
)

Things = Mapping[tuple[str, str], str]
"""What there is by (table, name), in words."""


def compare(declared: Things, actual: Things) -> Iterator[Seen | Finding]:
    """Yield each thing that is missing, not declared, or otherwise than declared."""
    yield Seen(len(declared.keys() | actual.keys()))
    for key in sorted(declared.keys() | actual.keys()):
        expected, found = declared.get(key, NOTHING), actual.get(key, NOTHING)
        if expected != found:
            yield drift(*key, expected, found)


def drift(table: str, name: str, expected: str, found: str) -> Finding:
    """Return the finding of one thing that is not as it was declared."""
    problem = _("It is not as it was declared.")
    if expected == NOTHING:
        problem = _("It was never declared.")
    elif found == NOTHING:
        problem = _("It is missing.")
    return Finding(table, name, problem, _shown(expected, found), _shown(found, expected), REMEDY)


def _shown(text: str, beside: str, at_most: int = 300) -> str:
    """Return a text from a little before the place where it differs, if it is long."""
    if len(text) <= at_most:
        return text
    differs = next((at for at, pair in enumerate(zip(text, beside, strict=False)) if pair[0] != pair[1]), 0)
    start = max(differs - 60, 0)
    return ("…" if start else "") + text[start : start + at_most] + ("…" if start + at_most < len(text) else "")


def means_the_same(table: str, declared: str | None, actual: str | None) -> bool:
    """Tell whether two conditions on a table's rows say the same; in an open snapshot.

    The server stores a condition in its own words, which differ by version; of the plans of both the words are its own.
    """
    return declared == actual or _plan(table, declared) == _plan(table, actual)


def _plan(table: str, condition: str | None) -> Any:
    if condition is None:
        return None
    with connection.cursor() as cursor:
        # Words of our migrations, and of the catalogue.
        cursor.execute(f"EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) SELECT FROM {table} WHERE {condition}")
        return cursor.fetchone()[0]
