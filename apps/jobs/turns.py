"""Whose turn it is on a queue: levels of priority take turns, and on each level its tenants do. Pure."""

import threading
from dataclasses import dataclass, field
from uuid import UUID


@dataclass(slots=True)
class Turns:
    """What one process has leased from one queue so far, so that it knows who is next.

    Every other lease begins with the highest priority; those between go down the levels below it in turn. On a level
    the tenants follow each other by id. So one tenant's backlog costs another one lease a round, and jobs of higher
    priority at most every second lease. `lock` keeps the threads of a process in line. See docs/adr/0022.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    _last_tenants: dict[int, UUID] = field(default_factory=dict)
    _last_level: int | None = None
    _is_for_the_others: bool = False

    @property
    def below(self) -> int | None:
        """Return the level below which the next lease begins, the highest one last; None: with the highest."""
        if not self._is_for_the_others:
            return None
        return 2**15 if self._last_level is None else self._last_level

    @property
    def levels(self) -> list[int]:
        """Return the levels that have had a turn, in the order of `tenants`."""
        return list(self._last_tenants)

    @property
    def tenants(self) -> list[UUID]:
        """Return the tenant served last on each of the levels."""
        return list(self._last_tenants.values())

    def has_had(self, tenant_id: UUID, *, priority: int) -> None:
        """Remember a lease."""
        self._last_tenants[priority] = tenant_id
        if self._is_for_the_others:
            self._last_level = priority
        self._is_for_the_others = not self._is_for_the_others


_turns: dict[str, Turns] = {}


def turns_of(queue: str) -> Turns:
    """Return this process's turns on a queue."""
    return _turns.setdefault(queue, Turns())
