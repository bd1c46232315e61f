"""Holds every event that is emitted under test to its schema in the catalogue."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonschema_rs

from apps.outbox import catalogue


class EventDoesNotFit(AssertionError):
    """An event's payload is not what the catalogue says of its type."""


def check(type_: str, told: str) -> None:
    """Compare an event's data with its type's schema, formats and unknown fields included.

    Raises:
        EventDoesNotFit: it differs; every difference is named.
    """
    problems = [
        f"{'/'.join(map(str, error.instance_path)) or 'the whole'}: {error.message}" for error in _errors(type_, told)
    ]
    if problems:
        raise EventDoesNotFit(f"{type_} does not fit its schema\n" + "\n".join(problems) + f"\n{told}")


def _errors(type_: str, told: str) -> list[jsonschema_rs.ValidationError]:
    return list(_validator(type_).iter_errors(json.loads(told)))


@cache
def _validator(type_: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(_closed(catalogue.schema(type_)), validate_formats=True)


def _closed(schema: Any) -> Any:
    """Return a schema that allows no field beside those that it names: what we send is all declared."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    closed = {key: _closed(part) for key, part in schema.items()}
    return {**closed, "additionalProperties": False} if "properties" in closed else closed
