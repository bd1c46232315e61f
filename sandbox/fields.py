"""Read control requests field by field, naming the field that is wrong."""

import json
from math import isfinite
from typing import Any

from aiohttp import web


class BadControlInput(Exception):
    """Raised for a control request that cannot be obeyed; `field` is the offender, "" for the body."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class Fields:
    """Take typed values out of a JSON object; whatever is left over is an error."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values
        self._known: set[str] = set()

    @classmethod
    async def of(cls, request: web.Request) -> "Fields":
        """Parse a request's JSON body, or raise `BadControlInput`."""
        try:
            values = json.loads(await request.read() or b"{}")
        except ValueError:
            raise BadControlInput("", "The body is not JSON.") from None
        if not isinstance(values, dict):
            raise BadControlInput("", "The body must be a JSON object.")
        return cls(values)

    @classmethod
    def of_query(cls, request: web.Request) -> "Fields":
        """Take the query parameters as fields."""
        return cls(dict(request.query))

    def find(self, name: str) -> Any:
        """Return the raw value, or None when it is absent."""
        self._known.add(name)
        return self._values.get(name)

    def find_text(self, name: str, *, choices: tuple[str, ...] = ()) -> str | None:
        """Return a string, or None when it is absent."""
        value = self.find(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise BadControlInput(name, "Must be a string.")
        if choices and value not in choices:
            raise BadControlInput(name, f"Must be one of {', '.join(choices)}.")
        return value

    def text(self, name: str, *, choices: tuple[str, ...] = ()) -> str:
        """Return a string that must be there and not be empty."""
        return self.find_text(name, choices=choices) or self._missing(name)

    def find_number(self, name: str, *, low: float, high: float) -> float | None:
        """Return a finite number within [low, high], or None when it is absent."""
        value = self.find(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise BadControlInput(name, "Must be a number.")
        if not low <= value <= high:
            raise BadControlInput(name, f"Must be between {low:g} and {high:g}.")
        return float(value)

    def number(self, name: str, *, low: float, high: float) -> float:
        """Return a number that must be there."""
        value = self.find_number(name, low=low, high=high)
        return value if value is not None else float(self._missing(name))

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a boolean."""
        value = self.find(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise BadControlInput(name, "Must be true or false.")
        return value

    def finish(self) -> None:
        """Refuse fields that nobody asked for; null is as good as absent."""
        for name, value in self._values.items():
            if name not in self._known and value is not None:
                raise BadControlInput(name, "Unknown field.")

    def _missing(self, name: str) -> str:
        raise BadControlInput(name, "Required.")
