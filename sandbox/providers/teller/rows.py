"""Keep one account's transactions in list order, with running balances, and render them.

List order is by date, newest first; within a date pending rows stand above posted ones, and each kind in the
order in which it came. Posted rows come with today's date, so their order and running balances stay; only a
test that backdates or changes a posted row moves the running balances after it, as a bank would.
"""

import json
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import Any

BASE = "teller-base:"
POSTED, PENDING = "posted", "pending"


@dataclass(slots=True)
class Row:
    """Hold one transaction as the wire shows it; amounts are whole cents."""

    id: str
    date: str
    amount: int
    status: str
    description: str
    type: str
    category: str | None
    counterparty: str | None
    counterparty_type: str | None
    processing_status: str = "complete"
    running_balance: int | None = None
    pinned: bool = False
    rendered: str | None = field(default=None, repr=False)


def money(cents: int) -> str:
    """Return whole cents as Teller writes an amount ("-12.30")."""
    whole, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole}.{rest:02d}"


class Book:
    """Hold one account's rows."""

    def __init__(self, account_id: str, opening: int) -> None:
        self.account_id = account_id
        self._opening = opening
        self._posted: list[Row] = []
        self._pending: list[Row] = []
        self._by_id: dict[str, Row] = {}
        self._listing: list[Row] | None = None
        self._positions: dict[str, int] = {}

    @property
    def ledger(self) -> int:
        """Return opening plus everything posted."""
        running = self._posted[-1].running_balance if self._posted else self._opening
        return running if running is not None else self._opening

    @property
    def available(self) -> int:
        """Return the ledger balance net of pending rows."""
        return self.ledger + sum(row.amount for row in self._pending)

    def find(self, row_id: str) -> Row | None:
        """Return a row by its present id."""
        return self._by_id.get(row_id)

    def add(self, row: Row) -> None:
        """Put a row where its date belongs."""
        rows = self._posted if row.status == POSTED else self._pending
        index = bisect_right(rows, row.date, key=lambda other: other.date)
        rows.insert(index, row)
        self._by_id[row.id] = row
        self._touch(row)
        if row.status == POSTED:
            self._run(index)

    def extend_posted(self, rows: list[Row]) -> None:
        """Take over many posted rows, oldest first."""
        self._posted.extend(rows)
        self._by_id.update((row.id, row) for row in rows)
        self._listing = None
        self._run(len(self._posted) - len(rows))

    def remove(self, row: Row) -> None:
        """Take a row out."""
        rows = self._posted if row.status == POSTED else self._pending
        index = self._index(row)
        del rows[index]
        del self._by_id[row.id]
        self._touch(row)
        row.running_balance = None
        if row.status == POSTED:
            self._run(index)

    def post(self, row: Row, *, row_id: str, date: str) -> None:
        """Move a pending row to the posted ones, under the same or a new id."""
        self.remove(row)
        row.id, row.date, row.status = row_id, date, POSTED
        self.add(row)

    def _index(self, row: Row) -> int:
        rows = self._posted if row.status == POSTED else self._pending
        start = bisect_left(rows, row.date, key=lambda other: other.date)
        return next(index for index in range(start, len(rows)) if rows[index] is row)

    def _touch(self, row: Row) -> None:
        row.rendered = None
        self._listing = None

    def _run(self, start: int) -> None:
        balance = self._posted[start - 1].running_balance if start else self._opening
        for row in self._posted[start:]:
            balance = (balance or 0) + row.amount
            row.running_balance, row.rendered = balance, None

    def change(self, row: Row, values: dict[str, Any]) -> None:
        """Set fields of a row; it keeps its place unless its date changes."""
        moved = values.get("date", row.date) != row.date
        if moved:
            self.remove(row)
        for name, value in values.items():
            setattr(row, name, value)
        row.rendered = None
        if moved:
            self.add(row)
        elif row.status == POSTED and "amount" in values:
            self._run(self._index(row))

    def listing(self) -> list[Row]:
        """Return all rows, newest first."""
        if self._listing is None:
            rows = self._posted + self._pending
            rows.sort(key=lambda row: (row.date, row.status == PENDING))
            rows.reverse()
            self._listing = rows
            self._positions = {row.id: index for index, row in enumerate(rows)}
        return self._listing

    def page(
        self, *, count: int | None, from_id: str | None, start_date: str | None, end_date: str | None
    ) -> list[Row] | None:
        """Return the rows after `from_id` within the dates (inclusive); None for an unknown `from_id`."""
        rows = self.listing()
        low, high = 0, len(rows)
        if from_id is not None:
            if from_id not in self._positions:
                return None
            low = self._positions[from_id] + 1
        if end_date is not None:
            low = max(low, bisect_left(rows, _age(end_date), key=lambda row: _age(row.date)))
        if start_date is not None:
            high = bisect_right(rows, _age(start_date), key=lambda row: _age(row.date))
        return rows[low : high if count is None else min(high, low + count)]

    def render(self, rows: list[Row], base: str) -> str:
        """Return rows as a JSON list whose links begin with `base`."""
        return f"[{','.join(self._rendered(row) for row in rows)}]".replace(BASE, base)

    def render_one(self, row: Row, base: str) -> str:
        """Return one row as JSON."""
        return self._rendered(row).replace(BASE, base)

    def _rendered(self, row: Row) -> str:
        if row.rendered is None:
            row.rendered = json.dumps(self._wire(row), separators=(",", ":"))
        return row.rendered

    def _wire(self, row: Row) -> dict[str, Any]:
        account = f"{BASE}/accounts/{self.account_id}"
        return {
            "id": row.id,
            "account_id": self.account_id,
            "date": row.date,
            "description": row.description,
            "amount": money(row.amount),
            "status": row.status,
            "type": row.type,
            "running_balance": None if row.running_balance is None else money(row.running_balance),
            "details": {
                "processing_status": row.processing_status,
                "category": row.category,
                "counterparty": {"name": row.counterparty, "type": row.counterparty_type},
            },
            "links": {"self": f"{account}/transactions/{row.id}", "account": account},
        }


def _age(date: str) -> int:
    """Return a number that grows with age, for dates of the form YYYY-MM-DD."""
    return -int(date.replace("-", ""))
