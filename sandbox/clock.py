"""Map the real clock to the sandbox's virtual clock and back.

The virtual clock runs beside the real one, jumps forward when it is advanced, and can be held still so that
a test sees nothing happen by itself. It never goes back. Both maps are monotone and, for the past, never
change again: that is why an event keeps its date and its place once it has been shown.
"""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf


@dataclass(frozen=True, slots=True)
class Segment:
    """Describe a stretch of time: from `real` on, virtual time is `virtual` + elapsed * `rate` (0 or 1)."""

    real: float
    virtual: float
    rate: int


class Timeline:
    """Hold the course of virtual time since the first start. Instants are unix seconds."""

    def __init__(self, genesis: float) -> None:
        self._segments = [Segment(genesis, genesis, 1)]

    @property
    def offset(self) -> float:
        """Return how far the virtual clock is ahead of the real one at the newest segment's start."""
        return self._segments[-1].virtual - self._segments[-1].real

    @property
    def running(self) -> bool:
        """Tell whether virtual time passes by itself."""
        return self._segments[-1].rate == 1

    def advance(self, at: float, seconds: float) -> None:
        """Jump forward at the real instant `at`."""
        self._segments.append(Segment(at, self.virtual(at) + seconds, self._segments[-1].rate))

    def set_running(self, at: float, running: bool) -> None:
        """Let virtual time pass by itself from the real instant `at` on, or hold it still."""
        self._segments.append(Segment(at, self.virtual(at), int(running)))

    def virtual(self, real: float) -> float:
        """Return the virtual instant at a real instant that is not before the newest segment."""
        segment = self._segments[-1]
        return segment.virtual + max(0.0, real - segment.real) * segment.rate

    def real(self, virtual: float) -> float:
        """Return the first real instant at which the virtual one has come (before genesis: itself)."""
        index = bisect_left(self._segments, virtual, key=lambda segment: segment.virtual)
        if index == 0:
            return virtual
        before = self._segments[index - 1]
        candidates = [before.real + virtual - before.virtual] if before.rate else []
        if index < len(self._segments):
            # An instant that a jump passed over came true at the jump.
            candidates.append(self._segments[index].real)
        return min(candidates, default=inf)


def wire_date(instant: float) -> str:
    """Return the ISO 8601 date (UTC) of a unix instant."""
    return datetime.fromtimestamp(instant, UTC).date().isoformat()


def wire_time(instant: float) -> str:
    """Return the RFC 3339 time (UTC, whole milliseconds) of a unix instant."""
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
