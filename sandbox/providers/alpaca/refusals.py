"""Hold the orders that a test wants refused."""

from dataclasses import dataclass
from typing import Any

from sandbox.providers.alpaca import wire
from sandbox.providers.base import Refused


@dataclass(slots=True)
class Refusal:
    """Hold one wish; `key` and `symbol` None mean every account and every symbol."""

    id: int
    key: str | None
    symbol: str | None
    status: int
    code: int
    message: str
    count: int
    later: bool

    def refused(self) -> Refused:
        """Return what to raise."""
        return Refused(wire.error(self.status, self.code, self.message))


class Refusals:
    """Hold the wishes, oldest first."""

    def __init__(self) -> None:
        self._wishes: list[Refusal] = []

    def add(self, number: int, args: dict[str, Any]) -> None:
        """Add a wish."""
        self._wishes.append(Refusal(id=number, **args))

    def find(self, key: str, symbol: str) -> Refusal | None:
        """Return the wish that fits an order."""
        for wish in self._wishes:
            if wish.key in (None, key) and wish.symbol in (None, symbol):
                return wish
        return None

    def spend(self, number: int) -> None:
        """Count a wish down."""
        for wish in self._wishes:
            if wish.id == number:
                wish.count -= 1
        self._wishes = [wish for wish in self._wishes if wish.count > 0]
