"""How much processor time processes have used, read from /proc."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def seconds_of(root: int) -> float:
    """Return the processor time, in seconds, of a process and all that descend from it, those that ended included."""
    parents, times = {}, {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name in brackets may hold anything, also spaces.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        parents[int(entry.name)] = int(fields[1])
        times[int(entry.name)] = sum(int(ticks) for ticks in fields[11:15]) / _TICKS
    family, grown = {root}, True
    while grown:
        children = {process for process, parent in parents.items() if parent in family} - family
        grown = bool(children)
        family |= children
    return sum(times.get(process, 0.0) for process in family)
