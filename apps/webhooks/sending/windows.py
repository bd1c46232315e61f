"""How many requests at once an endpoint may have: what it has earned by answering quickly.

One that hangs or fails falls back to a single request, so that many of them together leave room for the others; one
that answers grows quickly. Kept in the process alone: a new one learns again.
"""

from uuid import UUID

FIRST = 2
LARGEST = 64
SLOW_MS = 1_000
# Endpoints remembered; beyond that, those with nothing on the wire are forgotten.
REMEMBERED = 5_000


class Windows:
    """The windows of the endpoints that were sent to lately, and what each has on the wire."""

    def __init__(self) -> None:
        self._windows: dict[UUID, int] = {}
        self._in_flight: dict[UUID, int] = {}

    def begin(self, endpoint_id: UUID) -> None:
        """Count a request that is being sent."""
        self._in_flight[endpoint_id] = self._in_flight.get(endpoint_id, 0) + 1

    def end(self, endpoint_id: UUID, *, succeeded: bool, duration_ms: int) -> None:
        """Count its end, and let the endpoint's window grow or shrink."""
        left = self._in_flight[endpoint_id] - 1
        if left:
            self._in_flight[endpoint_id] = left
        else:
            del self._in_flight[endpoint_id]
        window = self._windows.get(endpoint_id, FIRST)
        if not succeeded:
            window = 1
        elif duration_ms >= SLOW_MS:
            window = max(1, window // 2)
        else:
            window = min(LARGEST, window * 2)
        self._windows[endpoint_id] = window
        if len(self._windows) > REMEMBERED:
            self._windows = {known: self._windows[known] for known in self._windows if known in self._in_flight}

    def rooms(self) -> dict[UUID, int]:
        """Return how many more may be sent now, for the endpoints that differ from a new one's FIRST."""
        known = self._windows.keys() | self._in_flight.keys()
        rooms = {key: max(0, self._windows.get(key, FIRST) - self._in_flight.get(key, 0)) for key in known}
        return {key: room for key, room in rooms.items() if room != FIRST}
