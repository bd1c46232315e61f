"""Positions against their executions, by the rules that moved them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.utils.translation import gettext_lazy as _

from apps.core.db.statements import Statement
from apps.core.money import plain
from apps.core.scope import snapshot_scope
from apps.core.verification import Finding, Row, Seen, Subject, Text, read
from apps.orders.enums import Side
from apps.orders.rules.positions import Holding, apply_fill

# Fills of one account are applied one after the other, under its lock. Their ids and times were made before that, on
# several machines, so that neighbours may stand the other way round; the event of each tells what it led to.
_AT_MOST_ASTRAY = 500
_FETCHED = 5_000
_ACCOUNTS = "SELECT id FROM orders_riskaccount WHERE tenant_id = %s ORDER BY id"
_FILLS = """
SELECT fill.id, fill.instrument_id, fill.side, fill.quantity, fill.price, fill.realized_pnl,
       (event.data->'position'->>'quantity')::numeric, (event.data->'position'->>'average_price')::numeric
  FROM orders_fill AS fill
  LEFT JOIN orders_orderevent AS event ON event.tenant_id = fill.tenant_id AND event.order_id = fill.order_id
       AND event.data->'fill'->>'id' = fill.id::text
 WHERE fill.tenant_id = %s AND fill.risk_account_id = %s ORDER BY fill.id
"""
# What the account held before its first order here was told when the position was opened.
_POSITIONS = """
SELECT position.id, position.instrument_id, position.quantity, position.average_price, position.realized_pnl,
       position.version, (opened.data->>'quantity')::numeric AS opening,
       (opened.data->>'average_price')::numeric AS opening_price
  FROM orders_position AS position
  LEFT JOIN outbox_event AS opened ON opened.tenant_id = position.tenant_id AND opened.entity_id = position.id
       AND opened.type = 'position.opened'
 WHERE position.tenant_id = %s AND position.risk_account_id = %s
"""
_REMEDY = _("It was changed past the platform. Compare the account's fills with the venue's record, then restore it.")


class _Fill(NamedTuple):
    """An execution, what it realised, and what its event says that the position was then."""

    id: UUID
    side: Side
    quantity: Decimal
    price: Decimal
    realized: Decimal
    after: Holding | None


@dataclass(slots=True)
class _Course:
    """How a position has come about so far; `astray` are fills whose turn has not come."""

    holding: Holding = field(default_factory=Holding)
    realized: Decimal = Decimal(0)
    changes: int = 0
    astray: list[_Fill] = field(default_factory=list)

    def take(self, fill: _Fill) -> None:
        """Apply a fill, and those that waited for it, as far as each leads to what its event says."""
        self.astray.append(fill)
        while len(self.astray) <= _AT_MOST_ASTRAY and (following := next(filter(self._follows, self.astray), None)):
            applied = apply_fill(self.holding, side=following.side, quantity=following.quantity, price=following.price)
            self.holding, self.realized = applied.holding, self.realized + applied.realized
            self.changes += 1
            self.astray.remove(following)

    def _follows(self, fill: _Fill) -> bool:
        applied = apply_fill(self.holding, side=fill.side, quantity=fill.quantity, price=fill.price)
        return fill.after == applied.holding and fill.realized == applied.realized


def walk_positions(subject: Subject) -> Iterator[Seen | Finding]:
    """Play each account's executions again; an account is read in one snapshot."""
    with snapshot_scope():
        accounts = [row["id"] for row in read(Statement(_ACCOUNTS, [subject.tenant_id]))]
    for account_id in accounts:
        with snapshot_scope():
            positions = {
                row["instrument_id"]: row for row in read(Statement(_POSITIONS, [subject.tenant_id, account_id]))
            }
            courses, fills = _play(subject, account_id, positions)
        yield Seen(fills)
        for instrument_id in sorted(courses):
            yield from _judge(positions.get(instrument_id), courses[instrument_id])


def _play(subject: Subject, account_id: UUID, positions: dict[Any, Row]) -> tuple[dict[Any, _Course], int]:
    """Return the course of each instrument's position, and how many fills there were."""
    courses: dict[Any, _Course] = {}
    for instrument_id, row in positions.items():
        has_opening = row["opening"] is not None
        opening = Holding(row["opening"], row["opening_price"]) if has_opening else Holding()
        courses[instrument_id] = _Course(opening, changes=int(has_opening))
    count = 0
    # A cursor of the server's: an account may have more fills than belong into memory.
    with connection.connection.cursor(name="fills") as cursor:
        cursor.itersize = _FETCHED
        cursor.execute(_FILLS, [subject.tenant_id, account_id])
        for fill_id, instrument_id, side, quantity, price, realized, held, average in cursor:
            after = None if held is None else Holding(held, average)
            fill = _Fill(fill_id, Side(side), quantity, price, realized, after)
            courses.setdefault(instrument_id, _Course()).take(fill)
            count += 1
    return courses, count


def _judge(position: Row | None, course: _Course) -> Iterator[Finding]:
    for fill in course.astray[:_AT_MOST_ASTRAY]:
        after = "no event tells of it" if fill.after is None else f"its event says {_held(fill.after)}"
        problem = _("An execution does not lead from one position to the next.")
        yield _wrong(
            "orders_fill", str(fill.id), problem, f"an event with what it led to from {_held(course.holding)}", after
        )
    if course.astray:
        return  # What the position should be is not known then.
    expected = f"{_held(course.holding)}, {plain(course.realized)} realised, version {course.changes}"
    if position is None:
        yield _wrong("orders_position", "", _("Executions have no position."), expected, "no position")
        return
    held = Holding(position["quantity"], position["average_price"])
    if (held, position["realized_pnl"], position["version"]) != (course.holding, course.realized, course.changes):
        found = f"{_held(held)}, {plain(position['realized_pnl'])} realised, version {position['version']}"
        problem = _("A position is not what its executions make of it.")
        yield _wrong("orders_position", str(position["id"]), problem, expected, found)


def _held(holding: Holding) -> str:
    return f"{plain(holding.quantity)} at {plain(holding.average_price)}"


def _wrong(table: str, row: str, problem: Text, expected: str, found: str) -> Finding:
    return Finding(table, row, problem, expected, found, _REMEDY)
