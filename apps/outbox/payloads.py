"""How an event's payload is declared, and the JSON Schema and the example that come of the declaration.

A payload is a TypedDict whose fields are annotated with what they hold. The functions that build payloads return it,
so mypy holds a builder to its declaration, and building costs no more than a dictionary does.
"""

import typing
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

# The notation of apps.core.money.plain: no exponent, no trailing zero, no negative zero.
DECIMAL_PATTERN = r"^(0|-?[1-9][0-9]*|-?(0|[1-9][0-9]*)\.[0-9]*[1-9])$"
PlainDecimal = Annotated[str, Meta(pattern=DECIMAL_PATTERN)]
Instant = Annotated[datetime, Meta(tz=True)]

_EXAMPLES: Mapping[str, Any] = {
    "date-time": "2026-03-02T14:30:00Z",
    "date": "2026-03-02",
    "boolean": False,
    "integer": 1,
    "array": [],
    "object": {},
    "null": None,
}


def says(text: str, *examples: Any, one_of: Iterable[str | None] = ()) -> Meta:
    """Return what the schema says of a field: a sentence, values that it may have, and those that it must have."""
    values = [None if value is None else str(value) for value in one_of]
    extra = {"enum": values} if values else None
    return Meta(description=text, examples=list(examples) or None, extra_json_schema=extra)


def schema_of(payload: type) -> dict[str, Any]:
    """Return a payload's JSON Schema (2020-12): complete in itself, its fields in their order.

    It is open: whoever validates by it must not stumble over a field that is added. The tests close it.
    """
    return typing.cast(dict[str, Any], _inlined(msgspec.json.schema(payload), _definitions(payload)))


def example_of(schema: Mapping[str, Any], name: str = "", owner: str = "") -> Any:
    """Return a value that a schema allows: each field's first example, or else one of its type."""
    if "examples" in schema:
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    if "properties" in schema:
        owner = schema["title"]
        return {field: example_of(part, field, owner) for field, part in schema["properties"].items()}
    if "anyOf" in schema:
        objects = [part for part in schema["anyOf"] if "properties" in part]
        return example_of(objects[0], name, owner) if objects else None
    if schema.get("format") == "uuid":
        return _example_id(owner if name == "id" else name)
    return _EXAMPLES.get(schema.get("format", schema["type"]), "text")


@dataclass(frozen=True, slots=True)
class Field:
    """A field for people: `path` leads to it through the payloads that it is in, `kind` says what it may be."""

    path: str
    kind: str
    text: str
    is_optional: bool


def fields_of(schema: Mapping[str, Any], path: str = "") -> list[Field]:
    """Return a schema's fields in their order, each before those that are in it."""
    found = []
    for name, part in schema.get("properties", {}).items():
        where = f"{path}{name}"
        found.append(Field(where, _kind(part), part.get("description", ""), name not in schema["required"]))
        for option in (part, *part.get("anyOf", ())):
            found += fields_of(option, f"{where}.")
    return found


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join("null" if value is None else value for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_kind(option) for option in schema["anyOf"])
    if schema.get("pattern") == DECIMAL_PATTERN:
        return "decimal"
    if schema["type"] == "array":
        return f"list of {_kind(schema['items'])}"
    kind = str(schema.get("format", schema["type"]))
    return {"uuid": "id", "date-time": "time"}.get(kind, kind)


def _definitions(payload: type) -> dict[str, dict[str, Any]]:
    """Return the schemas of a payload and of those in it, their fields as declared (msgspec sorts them by name)."""
    found: dict[str, dict[str, Any]] = msgspec.json.schema(payload)["$defs"]
    for declared in _payloads_in(payload):
        definition = found[declared.__name__]
        properties = definition["properties"]
        definition["properties"] = {name: properties[name] for name in declared.__annotations__}
        definition["required"] = [name for name in declared.__annotations__ if name in definition["required"]]
    return found


def _payloads_in(hint: Any) -> Iterable[Any]:
    if typing.is_typeddict(hint):
        yield hint
        parts: Iterable[Any] = typing.get_type_hints(hint).values()
    else:
        parts = typing.get_args(hint)
    for part in parts:
        yield from _payloads_in(part)


def _inlined(node: Any, definitions: Mapping[str, dict[str, Any]]) -> Any:
    if isinstance(node, list):
        return [_inlined(part, definitions) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        # What a field says of itself goes before what its payload says of itself.
        target = definitions[node["$ref"].rpartition("/")[2]]
        return _inlined({**target, **{key: part for key, part in node.items() if key[0] != "$"}}, definitions)
    return {key: _inlined(part, definitions) for key, part in node.items()}


def _example_id(seed: str) -> str:
    """Return an id (UUIDv7) that is the same wherever a field of this name is shown."""
    number = zlib.crc32(seed.encode())
    return f"019c1d80-{number >> 16:04x}-7000-8000-{number:012x}"
