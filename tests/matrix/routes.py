"""The API's routes and methods, read from the URLconf: a new one is in the matrix by itself."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.urls import URLPattern, URLResolver
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from apps.core.api.serializers import NoQuery
from apps.core.api.views import TenantListView, TenantView
from finops.urls import api

BASE = "/api/v1/"
# What belongs to the installation or the world: there is nothing of a tenant in it, and all see the same.
SHARED = ("providers", "instruments", "quotes", "webhooks/event-types")
SHARED_IDS = {"instrument_key": "XNAS:AAPL", "event_type": "order.filled"}
# Query parameters that have to be there.
REQUIRED_QUERY: dict[str, dict[str, int]] = {"audit/consistency": {"from": 1}}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_CONVERTER = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True, slots=True)
class Route:
    """One path of the API, such as `connections/{connection_id}/sync`."""

    path: str
    view: type[APIView]

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that the view takes."""
        return tuple(method for method in METHODS if hasattr(self.view, method.lower()))

    @property
    def parameters(self) -> list[str]:
        """The names of the ids in the path."""
        return re.findall(r"{(\w+)}", self.path)

    @property
    def is_list(self) -> bool:
        """Whether GET answers the list envelope."""
        return issubclass(self.view, TenantListView)

    @property
    def is_tenants(self) -> bool:
        """Whether it acts for the tenant of the caller's credentials."""
        return issubclass(self.view, TenantView)

    @property
    def is_shared(self) -> bool:
        """Whether it shows what is the same for every tenant."""
        return self.path.startswith(SHARED)

    @property
    def query_fields(self) -> dict[str, Any]:
        """The query parameters of GET, with their fields."""
        serializer: type[Serializer[Any]] = getattr(self.view, "query_serializer", NoQuery)
        return dict(serializer().fields)

    @property
    def required_query(self) -> dict[str, int]:
        """Values for the query parameters that GET cannot do without."""
        return REQUIRED_QUERY.get(self.path, {})

    def url(self, ids: Mapping[str, UUID | str]) -> str:
        """Return the URL with these ids in the path."""
        return BASE + self.path.format(**{**SHARED_IDS, **ids})


def _walk(patterns: Sequence[URLPattern | URLResolver], prefix: str = "") -> Iterator[Route]:
    for entry in patterns:
        path = prefix + _CONVERTER.sub(r"{\1}", str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, path)
        else:
            view: Any = entry.callback
            yield Route(path, view.view_class)


ROUTES = sorted(_walk(api), key=lambda route: route.path)
OPERATIONS = [(route, method) for route in ROUTES for method in route.methods]


def operation_id(value: object) -> str | None:
    """Name routes and methods in test ids."""
    if isinstance(value, Route):
        return value.path
    return value if isinstance(value, str) else None
