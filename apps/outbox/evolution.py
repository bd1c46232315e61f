"""What may change of a payload within its version, and what not (docs/adr/0021-event-schemas.md)."""

from collections.abc import Iterator, Mapping
from typing import Any

# They explain and change nothing of what is sent.
_EXPLAINING = frozenset({"description", "examples", "title", "$id", "$schema"})


def relied_upon(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema without what only explains it."""
    return {key: _bare(key, part) for key, part in schema.items() if key not in _EXPLAINING}


def _bare(key: str, part: Any) -> Any:
    if key == "properties":
        return {name: relied_upon(field) for name, field in part.items()}
    if key == "anyOf":
        return [relied_upon(option) for option in part]
    return relied_upon(part) if isinstance(part, Mapping) else part


def breaks(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield, one by one, what a receiver who relies on the schema `before` would stumble over in `after`.

    A new field is none when it is optional. Whatever else differs is one, also where a schema becomes stricter: it was
    written to be relied upon as it is.
    """
    for keyword in sorted({*before, *after} - _EXPLAINING - {"properties", "required", "anyOf", "items"}):
        if before.get(keyword) != after.get(keyword):
            where = path.rstrip(".") or "the payload"
            yield f"`{keyword}` of {where} was {before.get(keyword)}, is {after.get(keyword)}"
    yield from _breaks_of_fields(before, after, path)
    yield from _breaks_of_options(before.get("anyOf", []), after.get("anyOf", []), path)
    if isinstance(before.get("items"), Mapping):
        yield from breaks(before["items"], after.get("items", {}), f"{path.rstrip('.')}[].")


def _breaks_of_fields(before: Mapping[str, Any], after: Mapping[str, Any], path: str) -> Iterator[str]:
    had, has = before.get("properties", {}), after.get("properties", {})
    needed, needs = set(before.get("required", ())), set(after.get("required", ()))
    for name in sorted({*had, *has}):
        if name not in has:
            yield f"{path}{name} is gone"
        elif name not in had:
            if name in needs:
                yield f"{path}{name} is new and not optional"
        else:
            if (name in needed) != (name in needs):
                yield f"{path}{name} was {_need(name in needed)}, is {_need(name in needs)}"
            yield from breaks(had[name], has[name], f"{path}{name}.")


def _breaks_of_options(before: list[Any], after: list[Any], path: str) -> Iterator[str]:
    if len(before) != len(after):
        yield f"{path.rstrip('.')} has {len(after)} alternatives instead of {len(before)}"
        return
    for old, new in zip(before, after, strict=True):
        yield from breaks(old, new, path)


def _need(is_required: bool) -> str:
    return "required" if is_required else "optional"
