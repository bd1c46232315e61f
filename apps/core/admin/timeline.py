"""Merging what several sources know of a record into one story."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.core.admin.display import duration
from apps.core.admin.panels import Happening, Text, Timeline

_TOGETHER = timedelta(milliseconds=1)


def merged(title: Text, happenings: Iterable[Happening], *, empty: Text) -> Timeline:
    """Return what happened, oldest first; what happened at the same time is in the order of `rank`."""
    ordered = sorted(happenings, key=lambda item: (item.at, item.rank))
    counts = Counter(item.lane.key for item in ordered)
    lanes = {item.lane.key: item.lane for item in ordered}
    befores = [None, *(item.at for item in ordered)]
    entries = [
        (item, _instant(item.at, before), _gap(item.at, before)) for item, before in zip(ordered, befores, strict=False)
    ]
    return Timeline(title, [(lane, counts[key]) for key, lane in lanes.items()], entries, empty)


def _instant(at: datetime, before: datetime | None) -> SafeString | str:
    """Return a time of day to the millisecond, with the date where a day begins; nothing for the same time again."""
    utc = at.astimezone(UTC)
    if before is not None and at - before < _TOGETHER:
        return ""
    day = utc.strftime("%d %b") if before is None or utc.date() != before.astimezone(UTC).date() else ""
    return format_html(
        '<time datetime="{}"><small>{}</small>{}<span class="fo-ms">.{}</span></time>',
        at.isoformat(),
        day,
        utc.strftime("%H:%M:%S"),
        f"{utc.microsecond // 1000:03d}",
    )


def _gap(at: datetime, before: datetime | None) -> str:
    return "" if before is None or at - before < _TOGETHER else f"+{duration(at - before)}"
