"""The catalogue of event types: what each means, what its payload is, and in which version.

Each room defines its types in its `events.py`, in one place with their payloads; nothing else lists them. `ready` of
this room imports those modules, so the catalogue is complete before the first event.

A payload's schema may gain an optional field and stay what it is. Whatever else changes is a new version
(docs/adr/0021-event-schemas.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any

from django.utils import translation
from django.utils.functional import Promise

from apps.outbox.payloads import example_of, schema_of

# Dates of the API, the oldest first: each stands for the versions that all types had then, and a webhook endpoint keeps
# to one of them. A second one comes with the first new version of a type.
API_VERSIONS = ("2026-11-22",)
NEWEST_API_VERSION = API_VERSIONS[-1]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """One type: `payload` is the TypedDict of its data, `sample` what its example has instead of the fields' own."""

    name: str
    description: Promise
    payload: type
    version: int = 1
    sample: Mapping[str, Any] = field(default_factory=dict)

    @property
    def schema_id(self) -> str:
        """The URN that names the schema: of this type, in this version, on every installation."""
        return f"urn:finops:event:{self.name}:{self.version}"


_types: dict[str, EventType] = {}


def define(
    name: str, payload: type, description: Promise, *, version: int = 1, sample: Mapping[str, Any] | None = None
) -> str:
    """Enter a type into the catalogue and return its name, `<noun>.<past participle>`.

    Raises:
        ValueError: the name is defined already.
    """
    if name in _types:
        raise ValueError(f"the event type {name} is defined twice")
    _types[name] = EventType(name=name, payload=payload, description=description, version=version, sample=sample or {})
    return name


def event_types() -> Mapping[str, EventType]:
    """Return all types by their names."""
    return MappingProxyType(_types)


def version_of(name: str) -> int:
    """Return the version of the schema that a type's payload has now.

    Raises:
        LookupError: no room has defined the type; a programming error.
    """
    try:
        return _types[name].version
    except KeyError:
        raise LookupError(f"the event type {name} is in no catalogue: define it in its room's events.py") from None


@cache
def schema(name: str) -> Mapping[str, Any]:
    """Return the JSON Schema of a type's data; as the API's whole reference, it speaks English."""
    found = _types[name]
    body = schema_of(found.payload)
    with translation.override(None):
        about = {"$schema": DIALECT, "$id": found.schema_id, "title": name, "description": str(found.description)}
    return {**about, **{key: part for key, part in body.items() if key not in {"title", "description"}}}


@cache
def example(name: str) -> Mapping[str, Any]:
    """Return data that fits a type's schema."""
    return {**example_of(schema_of(_types[name].payload)), **_types[name].sample}
