"""Positions at average cost: exact examples, the tax office's own worked ones, and what holds for any fills."""

import zipfile
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.orders.enums import Side
from apps.orders.rules.positions import Holding, Worth, apply_fill, worth

pytestmark = pytest.mark.no_database

BUY, SELL = Side.BUY, Side.SELL
Fill = tuple[Side, str, str]


def after(fills: Iterable[Fill]) -> tuple[Holding, Decimal]:
    """Return the holding after the fills, and all that they realised."""
    holding, realized = Holding(), Decimal(0)
    for side, quantity, price in fills:
        holding, gain = apply_fill(holding, side=side, quantity=Decimal(quantity), price=Decimal(price))
        realized += gain
    return holding, realized


@pytest.mark.parametrize(
    ("fills", "quantity", "average", "realized"),
    [
        ([(BUY, "10", "100")], "10", "100", "0"),
        ([(BUY, "10", "100"), (BUY, "10", "110")], "20", "105", "0"),
        ([(BUY, "10", "100"), (BUY, "10", "110"), (SELL, "5", "120")], "15", "105", "75"),
        ([(BUY, "10", "100"), (SELL, "10", "90")], "0", "0", "-100"),
        ([(BUY, "10", "100"), (SELL, "15", "120")], "-5", "120", "200"),
        ([(SELL, "10", "100")], "-10", "100", "0"),
        ([(SELL, "10", "100"), (SELL, "30", "120")], "-40", "115", "0"),
        ([(SELL, "10", "100"), (BUY, "4", "90")], "-6", "100", "40"),
        ([(SELL, "10", "100"), (BUY, "10", "110")], "0", "0", "-100"),
        ([(SELL, "10", "100"), (BUY, "12", "110")], "2", "110", "-100"),
        ([(BUY, "0.1", "30000.10"), (BUY, "0.2", "30000.40")], "0.3", "30000.3", "0"),
        # 5/3 does not end: the average is rounded to 18 places, and what is realised does not show it.
        (
            [(BUY, "1", "1"), (BUY, "2", "2"), (SELL, "3", "2")],
            "0",
            "0",
            "1",
        ),
    ],
)
def test_fills(fills: list[Fill], quantity: str, average: str, realized: str):
    assert after(fills) == (Holding(Decimal(quantity), Decimal(average)), Decimal(realized))


@pytest.mark.parametrize(
    ("holding", "bid", "ask", "expected"),
    [
        (("10", "100"), "110", "111", ("110", "1100", "100")),
        (("10", "100"), "90", "91", ("90", "900", "-100")),
        (("-10", "100"), "89", "90", ("90", "-900", "100")),
        (("-10", "100"), "89", "110", ("110", "-1100", "-100")),
        (("10", "100"), None, "111", (None, None, None)),
        (("-10", "100"), "89", None, (None, None, None)),
        (("0", "0"), "89", "90", ("89", "0", "0")),
        (("0", "0"), None, None, (None, "0", "0")),
    ],
)
def test_what_closing_now_would_bring(holding, bid, ask, expected):
    held = Holding(*map(Decimal, holding))
    quote = {"bid": bid and Decimal(bid), "ask": ask and Decimal(ask)}
    assert worth(held, **quote) == Worth(*(None if value is None else Decimal(value) for value in expected))


def test_an_average_that_does_not_end_leaves_no_noise():
    """What three have cost is 300.01, though a third of it is no decimal: no 13.519999999999999999."""
    holding, _realized = after([(BUY, "1", "100"), (BUY, "1", "100"), (BUY, "1", "100.01")])
    assert holding.average_price == Decimal("100.003333333333333333")
    assert worth(holding, bid=Decimal("104.533333333"), ask=None).unrealized == Decimal("13.589999999")
    assert worth(holding, bid=Decimal("104.51"), ask=None).unrealized == Decimal("13.52")
    short, _realized = after([(SELL, "1", "100"), (SELL, "1", "100"), (SELL, "1", "100.01")])
    assert worth(short, bid=None, ask=Decimal("104.51")).unrealized == Decimal("-13.52")
    assert after([(BUY, "1", "100"), (BUY, "1", "100"), (BUY, "1", "100.01"), (SELL, "3", "104.51")]) == (
        Holding(),
        Decimal("13.52"),
    )


# The manual's answers: https://www.gov.uk/hmrc-internal-manuals/cryptoassets-manual/crypto22251 and crypto41350: the
# pool of 150 costs 126,000; of the 50 that are sold 42,000 is allowed, so that the gain is 258,000 and 84,000 is left.
@pytest.mark.parametrize("example", ["CRYPTO22251", "CRYPTO41350-1"])
def test_the_tax_offices_pool(realdata: Path, example: str):
    path = realdata / "analytics_oracles" / "cost_basis_hmrc_examples" / f"{example}.xlsx"
    holding, realized = after(_trades(path))
    assert holding == Holding(Decimal(100), Decimal(840))
    assert realized == Decimal(258_000)


def _trades(path: Path) -> list[Fill]:
    """Read the trades of a sheet in BittyTax's columns: quantities and assets bought and sold, against GBP."""
    trades = [row for row in _rows(path) if row.get("A") == "Trade"]
    assert len(trades) == 3
    fills: list[Fill] = []
    for row in trades:
        money, tokens = (
            (Decimal(row["E"]), Decimal(row["B"])) if row["F"] == "GBP" else map(Decimal, (row["B"], row["E"]))
        )
        fills.append((BUY if row["F"] == "GBP" else SELL, str(tokens), str(money / tokens)))
    return fills


def _rows(path: Path) -> list[dict[str, str]]:
    ns = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as book:
        strings = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    shared = ["".join(text.text or "" for text in item.iter(f"{ns}t")) for item in strings]
    rows = []
    for row in sheet.iter(f"{ns}row"):
        values = {cell.get("r", "").rstrip("0123456789"): (cell.findtext(f"{ns}v"), cell.get("t")) for cell in row}
        rows.append({at: shared[int(value)] if kind == "s" else value for at, (value, kind) in values.items() if value})
    return rows


AMOUNTS = st.decimals("0.000000001", "1000000", places=9)
FILLS = st.lists(st.tuples(st.sampled_from(Side), AMOUNTS, AMOUNTS), max_size=30)


@given(FILLS, AMOUNTS)
def test_money_is_neither_made_nor_lost(fills: list[tuple[Side, Decimal, Decimal]], mark: Decimal):
    """Realised and unrealised together are what came in, less what went out, and what is held at its price."""
    holding, realized, cash, held = Holding(), Decimal(0), Fraction(0), Fraction(0)
    for side, quantity, price in fills:
        holding, gain = apply_fill(holding, side=side, quantity=quantity, price=price)
        realized += gain
        sign = 1 if side is BUY else -1
        held += sign * Fraction(quantity)
        cash -= sign * Fraction(quantity) * Fraction(price)
    assert Fraction(holding.quantity) == held
    assert (holding.average_price == 0) is (holding.quantity == 0)
    open_gain = worth(holding, bid=mark, ask=mark).unrealized
    assert open_gain is not None
    exact = cash + held * Fraction(mark)
    # Each averaging may be half a unit of 10^-18 off, for each piece that is held, and each gain half one of 10^-9.
    allowed = (
        Fraction(1, 10**18) * (len(fills) + 1) * (1 + sum(Fraction(quantity) for _side, quantity, _price in fills))
    ) + Fraction(1, 10**9) * (len(fills) + 1)
    assert abs(Fraction(realized + open_gain) - exact) <= allowed


@given(FILLS)
def test_a_mirrored_book_realises_the_opposite(fills: list[tuple[Side, Decimal, Decimal]]):
    one, other = Holding(), Holding()
    for side, quantity, price in fills:
        one, gain = apply_fill(one, side=side, quantity=quantity, price=price)
        other, loss = apply_fill(other, side=SELL if side is BUY else BUY, quantity=quantity, price=price)
        assert (other.quantity, other.average_price, loss) == (-one.quantity, one.average_price, -gain)


@given(FILLS, AMOUNTS)
def test_a_fill_split_in_two_ends_where_the_whole_one_does(fills, quantity: Decimal):
    start = Holding()
    for side, amount, price in fills:
        start, _gain = apply_fill(start, side=side, quantity=amount, price=price)
    whole, gain = apply_fill(start, side=SELL, quantity=quantity * 2, price=Decimal(7))
    half, first = apply_fill(start, side=SELL, quantity=quantity, price=Decimal(7))
    both, second = apply_fill(half, side=SELL, quantity=quantity, price=Decimal(7))
    assert both.quantity == whole.quantity
    assert abs(both.average_price - whole.average_price) <= Decimal("2E-18")
    assert abs(first + second - gain) <= Decimal("2E-9")
