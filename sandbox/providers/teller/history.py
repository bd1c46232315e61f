"""Invent what happens in one enrolment, day after day, from its seed alone.

Each virtual day is drawn from its own random stream in order, so that the course of events is the same
however often, and in whatever steps, it is asked for. Amounts are whole cents with Teller's signs: in a
depository account negative is money out, in a credit account positive is a charge and negative a payment.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum

from sandbox.providers.teller import merchants
from sandbox.providers.teller.merchants import Payee

DAY = 86_400.0
HISTORY_DAYS = 182
CHECKING, SAVINGS, CARD, RESERVE = "checking", "savings", "card", "reserve"
CENT_HOLD = 100


class Outcome(Enum):
    """Say how a pending transaction ends."""

    NEW_ID = "new_id"
    SAME_ID = "same_id"
    VANISHES = "vanishes"


@dataclass(frozen=True, slots=True)
class Happening:
    """Describe one transaction's whole life; instants are virtual, equal when it posts at once."""

    key: str
    account: str
    payee: Payee
    seen: float
    settles: float
    outcome: Outcome
    held: int
    amount: int


class History:
    """Draw one enrolment's days in order, keeping rough balances so that the amounts stay plausible."""

    def __init__(self, *, salt: str, genesis: float, has_reserve: bool) -> None:
        self._salt = salt
        self._has_reserve = has_reserve
        self._day = datetime.fromtimestamp(genesis, UTC).date() - timedelta(days=HISTORY_DAYS)
        traits = random.Random(f"{salt}:traits")
        self._employer = traits.choice(merchants.EMPLOYERS)
        self._salary = traits.randrange(418_000, 512_000)
        self._rent = traits.randrange(17, 24) * 10_000 + 5_000
        self.openings = {
            CHECKING: traits.randrange(420_000, 780_000),
            SAVINGS: traits.randrange(1_200_000, 3_400_000),
            CARD: traits.randrange(60_000, 140_000),
            RESERVE: traits.randrange(2_500_000, 6_000_000),
        }
        self._balances = dict(self.openings)
        self._statement = self.openings[CARD]
        # Habits keep their hour, so that any 24 hours bring something new to checking, savings and card.
        self._hours = {account: traits.uniform(6, 22) * 3_600 for account in (CHECKING, SAVINGS, CARD)}
        self._random = traits
        self._drawn = 0

    def until(self, instant: float) -> Iterator[Happening]:
        """Draw every day that has begun by the virtual instant and was not drawn yet."""
        while self._start() <= instant:
            self._random = random.Random(f"{self._salt}:{self._day}")
            self._drawn = 0
            for happening in self._draw(self._day):
                if happening.outcome is not Outcome.VANISHES:
                    self._balances[happening.account] += happening.amount
                yield happening
            self._day += timedelta(days=1)

    def _start(self) -> float:
        return datetime(self._day.year, self._day.month, self._day.day, tzinfo=UTC).timestamp()

    def _draw(self, day: date) -> Iterator[Happening]:
        yield from self._pay_and_sweep(day)
        yield from self._bills(day)
        yield from self._shopping(CHECKING, merchants.CHECKING_SPEND)
        yield from self._shopping(CARD, merchants.CARD_SPEND)
        if day.weekday() == 5 and self._random.random() < 0.4:
            yield self._make(CHECKING, merchants.ATM, -self._random.randrange(4, 21) * 1_000)
        if day.day in merchants.SUBSCRIPTIONS:
            yield self._purchase(CARD, merchants.SUBSCRIPTIONS[day.day])
        habit = self._start() + self._hours[SAVINGS]
        yield from self._transfer(CHECKING, SAVINGS, self._random.randrange(40, 960), "Round-up", seen=habit)
        yield from self._month_end(day)

    def _pay_and_sweep(self, day: date) -> Iterator[Happening]:
        if day.toordinal() % 14 == 5:
            pay = Payee(f"{self._employer} PAYROLL PPD", self._employer, "income", "ach", 0, 0)
            yield self._make(CHECKING, pay, self._salary + self._random.randrange(-4_000, 4_000))
        balance = self._balances[CHECKING]
        due = self._statement if day.day == 24 else 0
        if day.toordinal() % 14 == 6 and balance > 900_000:
            yield from self._transfer(CHECKING, SAVINGS, (balance - 600_000) // 5_000 * 5_000, "Transfer")
        elif balance - due < 280_000:
            yield from self._transfer(SAVINGS, CHECKING, due + 300_000, "Transfer")

    def _bills(self, day: date) -> Iterator[Happening]:
        bill = merchants.BILLS.get(day.day)
        if bill is not None:
            amount = self._rent if day.day == 1 else self._random.randint(bill.low, bill.high)
            # A bill shows as pending on its day and posts the next, unchanged.
            yield self._make(CHECKING, bill, -amount, hours=self._random.uniform(10, 30), outcome=Outcome.SAME_ID)
        if day.day == 25:
            due = self._statement
            self._statement = self._balances[CARD] - due
            if due > 0:
                paid = Payee("ONLINE PAYMENT TO CREDIT CARD", "CREDIT CARD", "general", "payment", 0, 0)
                thanks = Payee("PAYMENT THANK YOU", "BANK PAYMENT", "general", "payment", 0, 0)
                yield self._make(CHECKING, paid, -due)
                yield self._make(CARD, thanks, -due)

    def _month_end(self, day: date) -> Iterator[Happening]:
        if (day + timedelta(days=1)).day != 1:
            return
        interest = Payee("INTEREST PAYMENT", "INTEREST", "income", "interest", 0, 0)
        yield self._make(SAVINGS, interest, max(1, self._balances[SAVINGS] * 42 // 12_000))
        if self._has_reserve:
            yield self._make(RESERVE, interest, max(1, self._balances[RESERVE] * 38 // 12_000))
            yield from self._transfer(SAVINGS, RESERVE, self._random.randrange(2, 9) * 10_000, "Transfer")

    def _shopping(self, account: str, payees: tuple[Payee, ...]) -> Iterator[Happening]:
        yield self._purchase(account, self._random.choice(payees), seen=self._start() + self._hours[account])
        for _ in range(self._random.choice((0, 1, 1, 2))):
            yield self._purchase(account, self._random.choice(payees))

    def _purchase(self, account: str, payee: Payee, *, seen: float | None = None) -> Happening:
        amount = self._random.randint(payee.low, payee.high)
        held, sign = amount, -1 if account != CARD else 1
        if payee.name in merchants.TIPPED and self._random.random() < 0.7:
            amount += amount * self._random.choice((15, 18, 20, 22)) // 100
        elif payee.category == "fuel":
            # A pump asks for one dollar first and books what was filled.
            held = CENT_HOLD
        draw = self._random.random()
        outcome = Outcome.NEW_ID if draw < 0.62 else Outcome.SAME_ID if draw < 0.96 else Outcome.VANISHES
        hours = self._random.uniform(24, 48)
        return self._make(account, payee, sign * amount, held=sign * held, hours=hours, outcome=outcome, seen=seen)

    def _transfer(
        self, source: str, target: str, cents: int, verb: str, *, seen: float | None = None
    ) -> Iterator[Happening]:
        out = Payee(f"{verb} to {target.title()}", "YOURSELF", "general", "transfer", 0, 0, "person")
        back = Payee(f"{verb} from {source.title()}", "YOURSELF", "general", "transfer", 0, 0, "person")
        sent = self._make(source, out, -cents, seen=seen)
        yield sent
        yield self._make(target, back, cents, seen=sent.seen)

    def _make(
        self,
        account: str,
        payee: Payee,
        amount: int,
        *,
        held: int | None = None,
        hours: float = 0.0,
        outcome: Outcome = Outcome.SAME_ID,
        seen: float | None = None,
    ) -> Happening:
        self._drawn += 1
        seen = self._start() + self._random.random() * DAY if seen is None else seen
        return Happening(
            key=f"{self._day}:{self._drawn}",
            account=account,
            payee=payee,
            seen=seen,
            settles=seen + hours * 3_600,
            outcome=outcome,
            held=amount if held is None else held,
            amount=amount,
        )
