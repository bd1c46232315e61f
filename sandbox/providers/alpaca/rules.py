"""Decide how an order is executed: how fast, in how many parts, or not at all."""

from dataclasses import dataclass, replace
from typing import Any

Scope = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class Execution:
    """Hold the settings that apply to one order; times in milliseconds of virtual time."""

    ack_ms: float = 20
    fill_ms: float = 200
    cancel_ms: float = 30
    replace_ms: float = 30
    parts: int = 1
    part_ms: float = 150
    hold: bool = False


class Rules:
    """Hold the settings by account and symbol; the more exact scope wins field by field."""

    def __init__(self) -> None:
        self._changes: dict[Scope, dict[str, Any]] = {}
        self._known: dict[Scope, Execution] = {}

    def change(self, scope: Scope, changes: dict[str, Any]) -> None:
        """Set some fields for a scope."""
        self._changes.setdefault(scope, {}).update(changes)
        self._known.clear()

    def clear(self, key: str | None) -> None:
        """Forget the rules of one account, or all."""
        self._changes = {scope: rule for scope, rule in self._changes.items() if key is not None and scope[0] != key}
        self._known.clear()

    def of(self, key: str, symbol: str) -> Execution:
        """Return what applies to an account's orders in a symbol."""
        scope: Scope = (key, symbol)
        found = self._known.get(scope)
        if found is None:
            found = Execution()
            for wider in ((None, None), (None, symbol), (key, None), scope):
                found = replace(found, **self._changes.get(wider, {}))
            self._known[scope] = found
        return found
