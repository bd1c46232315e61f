"""Run one enrolment through virtual time: its accounts, and the transactions that come, post and vanish.

An enrolment is rebuilt at any moment from (seed, label), the timeline and the commands that tests gave; the
order of events depends on nothing else, so what was shown once is shown again after a restart.
"""

import heapq
import random
import re
from base64 import b32hexencode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from sandbox.clock import Timeline, wire_date
from sandbox.providers.teller import merchants
from sandbox.providers.teller.history import CARD, CHECKING, RESERVE, SAVINGS, Happening, History, Outcome
from sandbox.providers.teller.rows import PENDING, POSTED, Book, Row

ENRICHMENT_SECONDS = 1_800.0
LARGEST_BULK = 2_000_000
# A virtual instant and the number of the command that acted then (0: it happened by itself), which orders what
# tests do while the clock is held.
Mark = tuple[float, int]
TOKEN = re.compile(r"test_tkn_([A-Za-z0-9_-]{1,64})")
BULK = re.compile(r"bulk([1-9][0-9]{0,6})")
PROFILES = {
    CHECKING: ("Everyday Checking", "depository", "checking"),
    SAVINGS: ("High-Yield Savings", "depository", "savings"),
    CARD: ("Rewards Platinum Card", "credit", "credit_card"),
    RESERVE: ("Money Market Reserve", "depository", "money_market"),
}


def label_of(token: str) -> str | None:
    """Return the enrolment's label when the token has the form of a test token."""
    match = TOKEN.fullmatch(token)
    bulk = BULK.fullmatch(match[1]) if match else None
    return None if match is None or (bulk and int(bulk[1]) > LARGEST_BULK) else match[1]


def wire_id(prefix: str, *parts: object) -> str:
    """Return a stable id in Teller's form, such as txn_oiluj93igokseo0i3a000."""
    digest = sha256("\x1f".join(map(str, parts)).encode()).digest()
    return f"{prefix}_{b32hexencode(digest[:12]).decode().lower()[:18]}000"


@dataclass(slots=True)
class Account:
    """Hold one account's profile, its status and its book."""

    id: str
    kind: str
    last_four: str
    number: str
    book: Book
    status: str = "open"
    authorized: bool = True

    @property
    def type(self) -> str:
        """Return depository or credit."""
        return PROFILES[self.kind][1]


class Enrollment:
    """Hold one customer's accounts at one institution."""

    def __init__(self, *, seed: int, label: str, timeline: Timeline, genesis: float) -> None:
        self.token = f"test_tkn_{label}"
        self.id = enrollment_id(seed, label)
        self.institution = random.Random(f"{seed}:{label}:bank").choice(merchants.INSTITUTIONS)
        self.status, self.reason = "active", ""
        self._processed: list[tuple[Mark, str, str]] = []
        self._salt = f"{seed}:{label}"
        self._timeline = timeline
        self._events: list[tuple[float, int, str, Happening]] = []
        self._issued = 0
        self._waiting: dict[str, Row] = {}
        bulk = BULK.fullmatch(label)
        has_reserve = random.Random(f"{self._salt}:reserve").random() < 0.5
        self._history = None if bulk else History(salt=self._salt, genesis=genesis, has_reserve=has_reserve)
        openings = self._history.openings if self._history else {CHECKING: 1_000_000}
        if not has_reserve:
            openings.pop(RESERVE, None)
        self.accounts = {account.id: account for account in (self._open(*item) for item in openings.items())}
        self._by_kind = {account.kind: account for account in self.accounts.values()}
        if bulk:
            self._fill(self._by_kind[CHECKING], int(bulk[1]), genesis)

    def run(self, until: float) -> None:
        """Let everything happen that is due by the virtual instant."""
        if self._history is None:
            return
        for happening in self._history.until(until):
            self._schedule(happening.seen, "seen", happening)
        while self._events and self._events[0][0] <= until:
            instant, _, what, happening = heapq.heappop(self._events)
            self._happen(instant, what, happening)

    def processed_between(self, after: Mark, until: Mark) -> list[tuple[Account, Row]]:
        """Return the rows that were enriched, posted or steered within (after, until] and still stand, each once."""
        chosen = {(account_id, row_id): None for mark, account_id, row_id in self._processed if after < mark <= until}
        found = [
            (self.accounts[account_id], self.accounts[account_id].book.find(row_id)) for account_id, row_id in chosen
        ]
        return [(account, row) for account, row in found if row is not None]

    def command(self, op: str, args: dict[str, Any], *, mark: Mark) -> None:
        """Apply a test's command that was checked before it was journaled."""
        match op:
            case "status":
                self.status, self.reason = args["status"], args["reason"]
            case "account":
                self.accounts[args["account_id"]].status = args["status"]
            case "account_deleted":
                self.accounts[args["account_id"]].authorized = False
            case "transaction":
                self._steer(mark, **args)

    def _open(self, kind: str, opening: int) -> Account:
        account_id = wire_id("acc", self._salt, kind)
        digits = random.Random(f"{self._salt}:{kind}:number")
        number = "".join(digits.choice("0123456789") for _ in range(16 if kind == CARD else 12))
        return Account(account_id, kind, number[-4:], number, Book(account_id, opening))

    def _schedule(self, instant: float, what: str, happening: Happening) -> None:
        self._issued += 1
        heapq.heappush(self._events, (instant, self._issued, what, happening))

    def _happen(self, instant: float, what: str, happening: Happening) -> None:
        account = self._by_kind[happening.account]
        if what == "seen":
            self._appear(instant, account, happening)
            return
        row = self._waiting.get(happening.key)
        if row is None:
            return  # A test posted or removed it before its time.
        if what == "enriched":
            if not row.pinned:
                account.book.change(row, _enrichment(happening))
            self._processed.append(((instant, 0), account.id, row.id))
            return
        del self._waiting[happening.key]
        if happening.outcome is Outcome.VANISHES:
            account.book.remove(row)
            return
        row_id = self._id(happening, "posted") if happening.outcome is Outcome.NEW_ID else row.id
        if not row.pinned:
            account.book.change(row, {"amount": happening.amount})
        account.book.post(row, row_id=row_id, date=self._date(instant))
        self._processed.append(((instant, 0), account.id, row_id))

    def _appear(self, instant: float, account: Account, happening: Happening) -> None:
        at_once = happening.settles == happening.seen
        row = Row(
            id=self._id(happening, "pending"),
            date=self._date(instant),
            amount=happening.held,
            status=POSTED if at_once else PENDING,
            description=happening.payee.description,
            type=happening.payee.type,
            category=None,
            counterparty=None,
            counterparty_type=None,
            processing_status="pending",
        )
        account.book.add(row)
        if at_once:
            account.book.change(row, _enrichment(happening))
            self._processed.append(((instant, 0), account.id, row.id))
        else:
            self._waiting[happening.key] = row
            self._schedule(instant + ENRICHMENT_SECONDS, "enriched", happening)
            self._schedule(happening.settles, "settled", happening)

    def _steer(
        self,
        mark: Mark,
        *,
        account_id: str,
        op: str,
        transaction_id: str,
        new_id: str | None,
        fields: dict[str, Any],
    ) -> None:
        book = self.accounts[account_id].book
        if op == "add":
            book.add(Row(id=transaction_id, **fields))
            self._processed.append((mark, account_id, transaction_id))
            return
        row = book.find(transaction_id)
        if row is None:
            raise LookupError(f"the journal steers {transaction_id}, which is not there")
        if op in ("remove", "post"):
            self._waiting = {key: other for key, other in self._waiting.items() if other is not row}
        if op == "remove":
            book.remove(row)
            return
        row.pinned = True
        book.change(row, fields)
        if op == "post":
            book.post(row, row_id=new_id or row.id, date=row.date)
        self._processed.append((mark, account_id, row.id))

    def _fill(self, account: Account, size: int, genesis: float) -> None:
        """Give an account `size` posted rows, spread over the two years before genesis."""
        draw = random.Random(f"{self._salt}:bulk")
        first = datetime.fromtimestamp(genesis, UTC).date() - timedelta(days=730)
        days = [(first + timedelta(days=day)).isoformat() for day in range(730)]
        payees = merchants.CHECKING_SPEND
        rows = []
        for index in range(size):
            payee = payees[int(draw.random() * len(payees))]
            amount = -payee.low - int(draw.random() * (payee.high - payee.low))
            rows.append(
                Row(
                    id=wire_id("txn", self._salt, index),
                    date=days[index * 730 // size],
                    amount=amount if index % 40 else 40 * 4_800,
                    status=POSTED,
                    description=payee.description,
                    type=payee.type,
                    category=payee.category,
                    counterparty=payee.name,
                    counterparty_type=payee.party,
                )
            )
        account.book.extend_posted(rows)

    def _id(self, happening: Happening, phase: str) -> str:
        return wire_id("txn", self._salt, happening.account, happening.key, phase)

    def _date(self, instant: float) -> str:
        return wire_date(self._timeline.real(instant))


def enrollment_id(seed: int, label: str) -> str:
    """Return the id of the enrolment with this label."""
    return wire_id("enr", f"{seed}:{label}", "enrollment")


def _enrichment(happening: Happening) -> dict[str, Any]:
    """Return what Teller's enrichment adds to a row."""
    return {
        "processing_status": "complete",
        "category": happening.payee.category,
        "counterparty": happening.payee.name,
        "counterparty_type": happening.payee.party,
    }
