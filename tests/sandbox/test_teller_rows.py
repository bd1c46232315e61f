"""A book against a naive model of it: order, running balances, pages, whatever a test does to its rows."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.providers.teller.rows import PENDING, POSTED, Book, Row, money

pytestmark = pytest.mark.no_database
DATES = [f"2026-03-{day:02d}" for day in range(1, 6)]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "post", "remove", "amount", "date"]),
        st.integers(0, 30),
        st.sampled_from(DATES),
        st.integers(-9_999, 9_999),
        st.sampled_from([PENDING, POSTED]),
    ),
    max_size=25,
)


def make_row(row_id: str, date: str, amount: int, status: str) -> Row:
    return Row(row_id, date, amount, status, "X", "card_payment", None, None, None)


def apply(book: Book, rows: dict[str, Row], number: int, step: tuple[Any, ...]) -> None:
    op, pick, date, amount, status = step
    row = list(rows.values())[pick % len(rows)] if rows else None
    if op == "add" or row is None:
        rows[f"txn_{number}"] = make_row(f"txn_{number}", date, amount, status)
        book.add(rows[f"txn_{number}"])
    elif op == "post" and row.status == PENDING:
        del rows[row.id]
        book.post(row, row_id=f"txn_{number}", date=date)
        rows[row.id] = row
    elif op == "remove":
        book.remove(rows.pop(row.id))
    elif op in ("amount", "date"):
        book.change(row, {"amount": amount} if op == "amount" else {"date": date})


@given(steps=STEPS, opening=st.integers(-5_000, 5_000))
def test_whatever_is_done_the_book_agrees_with_its_rows(steps: list[tuple[Any, ...]], opening: int) -> None:
    book, rows = Book("acc_x", opening), dict[str, Row]()
    for number, step in enumerate(steps):
        apply(book, rows, number, step)
        book.listing()
    listed = json.loads(book.render(book.listing(), "http://bank"))
    assert {row["id"] for row in listed} == set(rows)
    assert [row["date"] for row in listed] == sorted((row["date"] for row in listed), reverse=True)
    balance = opening
    for shown in reversed(listed):
        row = rows[shown["id"]]
        assert (shown["amount"], shown["status"], shown["date"]) == (money(row.amount), row.status, row.date)
        balance += row.amount if row.status == POSTED else 0
        assert shown["running_balance"] == (money(balance) if row.status == POSTED else None)
        assert book.find(row.id) is row
    assert book.ledger == balance
    assert book.available == opening + sum(row.amount for row in rows.values())


@given(
    days=st.lists(st.sampled_from(DATES), max_size=12),
    count=st.one_of(st.none(), st.integers(1, 6)),
    pick=st.one_of(st.none(), st.integers(0, 11)),
    start=st.one_of(st.none(), st.sampled_from(["2026-02-01", *DATES, "2026-09-01"])),
    end=st.one_of(st.none(), st.sampled_from(["2026-02-01", *DATES, "2026-09-01"])),
)
def test_a_page_is_the_filtered_list_after_its_anchor(
    days: list[str], count: int | None, pick: int | None, start: str | None, end: str | None
) -> None:
    book = Book("acc_x", 0)
    for number, day in enumerate(days):
        book.add(make_row(f"txn_{number}", day, 1, POSTED))
    listed = book.listing()
    from_id = listed[pick % len(listed)].id if pick is not None and listed else None
    after = [row.id for row in listed]
    after = after[after.index(from_id) + 1 :] if from_id else after
    dates = {row.id: row.date for row in listed}
    expected = [each for each in after if (start or "") <= dates[each] <= (end or "9")][:count]
    page = book.page(count=count, from_id=from_id, start_date=start, end_date=end)
    assert page is not None
    assert [row.id for row in page] == expected
    assert book.page(count=count, from_id="txn_none", start_date=start, end_date=end) is None
