"""Is a log complete? Its sequences have no gap, and end where its counter says."""

from collections.abc import Iterator
from typing import NamedTuple

from django.db import connection
from django.utils.translation import gettext_lazy as _

from apps.core.db.statements import Statement
from apps.core.scope import snapshot_scope
from apps.core.sequencing import Stream
from apps.core.verification import Finding, Row, Seen, Subject, read

RANGE_ROWS = 20_000
_RESTORE = _("Rows were deleted or numbered past the platform. Restore them from a backup, and find out who did it.")


class _Ends(NamedTuple):
    """Where a log ends by its counter, and by its rows."""

    counter: int
    last: int


def walk_sequences(stream: Stream, subject: Subject) -> Iterator[Seen | Finding]:
    """Compare a log's sequences with its counter, and count them range by range.

    What has its sequence keeps it and its row for good, so that the ranges need no common snapshot.
    """
    with snapshot_scope():
        ends = _ends(stream, subject)
    if ends.counter != ends.last:
        counters = stream.counters._meta.db_table
        problem, found = _("The log does not end where its counter says."), f"last sequence {ends.last}"
        yield Finding(counters, "last_sequence", problem, f"last sequence {ends.counter}", found, _RESTORE)
    for first in range(1, ends.last + 1, RANGE_ROWS):
        last = min(first + RANGE_ROWS - 1, ends.last)
        with snapshot_scope():
            rows, findings = _count(stream, subject, first, last)
        yield Seen(rows)
        yield from findings


def _ends(stream: Stream, subject: Subject) -> _Ends:
    rows, counters = _names(stream)
    of_subject, params = subject.condition
    sql = f"""SELECT coalesce((SELECT max(last_sequence) FROM {counters} WHERE {of_subject}), 0),
                     coalesce((SELECT max(sequence) FROM {rows} WHERE {of_subject}), 0)"""  # noqa: S608  (our names)
    with connection.cursor() as cursor:
        cursor.execute(sql, [*params, *params])
        return _Ends(*cursor.fetchone())


def _count(stream: Stream, subject: Subject, first: int, last: int) -> tuple[int, list[Finding]]:
    rows, _counters = _names(stream)
    of_subject, params = subject.condition
    where = f"{of_subject} AND sequence BETWEEN %s AND %s"
    sql = f"SELECT count(*) AS rows, count(DISTINCT sequence) AS numbers FROM {rows} WHERE {where}"  # noqa: S608  (our names)
    [counted] = read(Statement(sql, [*params, first, last]))
    findings = []
    if counted["numbers"] != last - first + 1:
        findings += [_gap(stream, row) for row in _missing(stream, subject, first, last)]
    if counted["rows"] != counted["numbers"]:
        problem, expected = _("A sequence is given to several rows."), f"{counted['numbers']} rows"
        name = f"{first} to {last}"
        findings.append(
            Finding(stream.rows._meta.db_table, name, problem, expected, f"{counted['rows']} rows", _RESTORE)
        )
    return counted["rows"], findings


def _missing(stream: Stream, subject: Subject, first: int, last: int) -> list[Row]:
    """Return the gaps in a range, as its first and last number each."""
    rows, _counters = _names(stream)
    of_subject, params = subject.condition
    sql = f"""SELECT min(number) AS first, max(number) AS last FROM (
            SELECT number, number - row_number() OVER (ORDER BY number) AS island FROM generate_series(%s, %s) AS number
             WHERE NOT EXISTS (SELECT FROM {rows} WHERE {of_subject} AND sequence = number)) AS missing
        GROUP BY island ORDER BY 1"""  # noqa: S608  (our names)
    return read(Statement(sql, [first, last, *params]))


def _gap(stream: Stream, gap: Row) -> Finding:
    first, last = gap["first"], gap["last"]
    name = str(first) if first == last else f"{first} to {last}"
    return Finding(stream.rows._meta.db_table, name, _("Sequences are missing."), "a row each", "no row", _RESTORE)


def _names(stream: Stream) -> tuple[str, str]:
    quote = connection.ops.quote_name
    return quote(stream.rows._meta.db_table), quote(stream.counters._meta.db_table)
