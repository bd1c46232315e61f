"""Makes a refused row presentable: redacted, bounded, storable."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from apps.core.redaction import redact
from apps.providers.types import RejectedRow, RowKind

_LONGEST_TEXT = 200
_MOST_MEMBERS = 30
_DEEPEST = 4


def reject(entity: RowKind, raw: Any, reason: str, *, external_id: str | None = None) -> RejectedRow:
    """Return a refused row with as much of `raw` as people need to see why; `external_id` where it says none."""
    identifier = external_id or (raw.get("id") if isinstance(raw, Mapping) else None)
    excerpt = _bounded(raw, _DEEPEST)
    return RejectedRow(
        entity=entity,
        external_id=clean(identifier) if isinstance(identifier, str) and len(identifier) <= _LONGEST_TEXT else "",
        reason=clean(reason)[:500],
        excerpt=redact(excerpt if isinstance(raw, Mapping) else {"row": excerpt}),
    )


def clean(text: str) -> str:
    """Return a provider's text without NUL, which PostgreSQL cannot store, and without outer white space."""
    return text.replace("\x00", "").strip()


def _bounded(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        if not depth:
            return "…"
        return {
            clean(str(key))[:_LONGEST_TEXT]: _bounded(item, depth - 1)
            for key, item in islice(value.items(), _MOST_MEMBERS)
        }
    if isinstance(value, list):
        return [_bounded(item, depth - 1) for item in value[:_MOST_MEMBERS]] if depth else "…"
    # Numbers too become text: they are shown, never computed with.
    return clean(str(value))[:_LONGEST_TEXT]
