"""What a benchmark reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Figures of each round, in `unit` (more is better); `shares` are parts of ours by name, summing to 1.

    `notes` stand below, a line each.
    """

    name: str
    unit: str
    ours: Sequence[float]
    peer: Sequence[float]
    shares: Mapping[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def lines(self) -> list[str]:
        """Return the result for people: one line, and more for the shares and the notes."""
        ours, peer = median(self.ours), median(self.peer)
        lines = [f"{self.name}: ours={ours:,.0f} {self.unit} peer={peer:,.0f} {self.unit} ratio={ours / peer:.2f}"]
        if self.shares:
            parts = ", ".join(f"{name} {share:.0%}" for name, share in self.shares.items())
            lines.append(f"  of ours: {parts}")
        return [*lines, *(f"  {note}" for note in self.notes)]
