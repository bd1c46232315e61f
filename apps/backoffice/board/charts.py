"""A day by hour as stacked columns; `templates/backoffice/chart.html` draws it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.core.admin import number
from apps.core.admin.panels import Text, Tone

_HEIGHT, _SLOT, _GAP = 100, 13, 3


@dataclass(frozen=True, slots=True)
class Series:
    """What a segment of a column stands for."""

    key: str
    name: Text
    tone: Tone


@dataclass(frozen=True, slots=True)
class Column:
    """One hour of a chart: stacked segments (tone, y, height) and a tooltip."""

    x: int
    width: int
    segments: Sequence[tuple[str, float, float]]
    tooltip: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A day by hour. `peak` is the value at the top; `legend` names the tones that occur."""

    title: Text
    total: str
    peak: str
    columns: Sequence[Column]
    legend: Sequence[tuple[Tone, Text]]
    is_empty: bool
    empty: Text


def chart(
    title: Text, series: Sequence[Series], hours: Sequence[tuple[datetime, Mapping[str, int]]], *, empty: Text
) -> Chart:
    """Return a chart of counts by hour and series; the first series stands at the bottom."""
    sums = [sum(counts.get(item.key, 0) for item in series) for _at, counts in hours]
    peak, total = max(sums, default=0), sum(sums)
    columns = [_column(index, at, counts, series, peak) for index, (at, counts) in enumerate(hours)]
    seen = [item for item in series if any(counts.get(item.key) for _at, counts in hours)]
    legend = [(item.tone, item.name) for item in seen] if len(series) > 1 else []
    return Chart(title, number(total), _short(peak), columns, legend, not total, empty)


def _short(count: int) -> str:
    """Return a count as an axis has room for it: 18,211 is "18k"."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if count >= 10 * size:
            return f"{count // size}{unit}"
        if count >= size:
            return f"{count / size:.1f}{unit}"
    return str(count)


def _column(index: int, at: datetime, counts: Mapping[str, int], series: Sequence[Series], peak: int) -> Column:
    segments, top = [], float(_HEIGHT)
    for item in series:
        count = counts.get(item.key, 0)
        if count:
            # Two pixels at least: one failure among thousands must still be seen.
            height = max(2.0, round((_HEIGHT - 4) * count / peak, 1))
            top = max(0.0, top - height)
            segments.append((item.tone, round(top, 1), height))
    told = ", ".join(f"{number(counts[item.key])} {item.name}" for item in series if counts.get(item.key))
    label = at.strftime("%H") if at.hour % 4 == 0 else ""
    return Column(index * _SLOT, _SLOT - _GAP, segments, f"{at:%H:00}: {told or 0}", label)
