"""Decide which fault acts on an exchange, and bend answers. What each kind means: the package docstring."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.fields import BadControlInput, Fields

PLAIN_KINDS = ("drop_response", "throttle", "malformed", "duplicate", "reorder")
LONGEST_DELAY_MS = 120_000
# How the lines of messages begin: of streams, and of webhooks.
MESSAGE_LINES = ("STREAM ", "WEBHOOK ")


@dataclass(slots=True)
class Fault:
    """Hold one injected fault. `rate` or `remaining` is None where it does not limit."""

    id: int
    provider: str
    kind: str
    match: str
    rate: float | None
    remaining: int | None
    seen: int = 0
    fired: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the fault as the control endpoints show it."""
        return {
            "id": self.id,
            "provider": self.provider,
            "kind": self.kind,
            "match": self.match,
            "rate": self.rate,
            "count": self.remaining,
            "fired": self.fired,
        }


def parse_fault(fields: Fields, providers: tuple[str, ...]) -> dict[str, Any]:
    """Check a control request and return the fault's arguments.

    Raises:
        BadControlInput: naming the field.
    """
    provider = fields.text("provider", choices=providers)
    kind = _kind(fields.text("kind"))
    match = fields.find_text("match") or ""
    rate = fields.find_number("rate", low=0, high=1)
    count = fields.find_number("count", low=1, high=1_000_000)
    fields.finish()
    if rate is not None and count is not None:
        raise BadControlInput("rate", "Give rate or count, not both.")
    if rate == 0:
        raise BadControlInput("rate", "Must be above 0.")
    if count is not None and not count.is_integer():
        raise BadControlInput("count", "Must be a whole number.")
    return {
        "provider": provider,
        "kind": kind,
        "match": match,
        "rate": rate,
        "count": None if count is None else int(count),
    }


def _kind(kind: str) -> str:
    name, separator, value = kind.partition(":")
    if kind in PLAIN_KINDS:
        return kind
    if separator and value.isascii() and value.isdigit() and len(value) < 7:
        if name == "status" and 400 <= int(value) <= 599:
            return kind
        if name == "delay" and int(value) <= LONGEST_DELAY_MS:
            return kind
    allowed = ", ".join(PLAIN_KINDS)
    raise BadControlInput("kind", f"Must be {allowed}, status:<400 to 599> or delay:<0 to {LONGEST_DELAY_MS} ms>.")


class FaultBook:
    """Hold the active faults, oldest first."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._faults: list[Fault] = []
        self._issued = 0

    def add(self, *, provider: str, kind: str, match: str, rate: float | None, count: int | None) -> Fault:
        """Add a fault and return it with its number."""
        self._issued += 1
        fault = Fault(self._issued, provider, kind, match, rate, count)
        self._faults.append(fault)
        return fault

    def clear(self, provider: str | None) -> int:
        """Drop the faults of one provider, or all; return how many there were."""
        before = len(self._faults)
        self._faults = [fault for fault in self._faults if provider not in (None, fault.provider)]
        return before - len(self._faults)

    def spend(self, fault_id: int) -> None:
        """Count down a fault that was limited to a number of exchanges."""
        for fault in self._faults:
            if fault.id == fault_id and fault.remaining is not None:
                fault.remaining -= 1
                fault.fired += 1
        self._faults = [fault for fault in self._faults if fault.remaining != 0]

    def active(self) -> list[Fault]:
        """Return the faults that can still act."""
        return list(self._faults)

    def pick(self, provider: str, line: str) -> Fault | None:
        """Return the fault that acts on the exchange whose "METHOD /path?query" is `line`.

        A line "STREAM ..." is a message of a stream, "WEBHOOK ..." a webhook: only a fault that was made for such
        messages acts on it.
        """
        for fault in self._faults:
            if fault.provider == provider and _matches(fault, line) and self._fires(fault):
                return fault
        return None

    def _fires(self, fault: Fault) -> bool:
        fault.seen += 1
        draw = random.Random(f"{self._seed}:{fault.id}:{fault.seen}").random()
        fires = fault.rate is None or draw < fault.rate
        if fires and fault.remaining is None:
            fault.fired += 1  # A counted fault is counted by `spend`, which is journaled.
        return fires


def _matches(fault: Fault, line: str) -> bool:
    if line.startswith(MESSAGE_LINES):
        return fault.match.startswith(MESSAGE_LINES) and line.startswith(fault.match)
    return fault.match in line


def bend(kind: str, body: bytes, *, salt: str) -> bytes:
    """Return an answer's body as the fault leaves it; kinds that do not touch the body leave it as it is."""
    if kind == "malformed":
        return body[: len(body) // 2] or b"{"
    if kind == "duplicate":
        return _bend_rows(body, lambda rows: [row for row in rows for _ in range(2)])
    if kind == "reorder":
        return _bend_rows(body, lambda rows: _shuffled(rows, salt))
    return body


def _shuffled(rows: list[Any], salt: str) -> list[Any]:
    shuffled = list(rows)
    random.Random(salt).shuffle(shuffled)
    return shuffled if shuffled != rows else rows[::-1]


def _bend_rows(body: bytes, change: Callable[[list[Any]], list[Any]]) -> bytes:
    try:
        value = json.loads(body)
    except ValueError:
        return body
    if isinstance(value, list):
        return json.dumps(change(value), separators=(",", ":")).encode()
    if isinstance(value, dict) and any(isinstance(member, list) for member in value.values()):
        bent = {key: change(member) if isinstance(member, list) else member for key, member in value.items()}
        return json.dumps(bent, separators=(",", ":")).encode()
    return body
