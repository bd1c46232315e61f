"""What a subscription may ask for, and which events it matches."""

from collections.abc import Iterable, Sequence

from apps.outbox.catalogue import event_types

ALL = "*"


def unknown_types(patterns: Iterable[str]) -> list[str]:
    """Return the patterns that match no event type, in their order."""
    known = {*event_types(), *(family(type_) for type_ in event_types()), ALL}
    return [pattern for pattern in patterns if pattern not in known]


def family(type_: str) -> str:
    """Return the pattern for all events about the same noun, such as `order.*`."""
    return f"{type_.partition('.')[0]}.*"


def matches(patterns: Sequence[str], type_: str) -> bool:
    """Tell whether a subscription asks for a type; an empty one asks for all."""
    return not patterns or any(asked in patterns for asked in (ALL, type_, family(type_)))
