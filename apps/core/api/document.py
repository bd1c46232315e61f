"""The OpenAPI document as it is served."""

from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator


class ServedDocument(SchemaGenerator):
    """Makes the document once a process: it is the same for all, and anybody may ask for it as often as they like."""

    def get_schema(self, request: Any = None, public: bool = False) -> Any:
        """Return the document; who asks, and a `version` that they name, make no difference."""
        return _made()


@cache
def _made() -> Any:
    return SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
