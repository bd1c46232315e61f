"""The catalogue of event types."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api.pagination import decode_cursor, encode_cursor
from apps.core.api.permissions import Permission
from apps.core.api.views import ListView, TenantView
from apps.core.errors import NotFound
from apps.outbox import catalogue
from apps.webhooks.api.serializers import EventTypeSerializer

TAGS = ["Webhooks"]


class EventTypeListView(ListView):
    """GET /webhooks/event-types."""

    required_permissions = {"GET": Permission.WEBHOOKS_READ}
    serializer_class = EventTypeSerializer

    @extend_schema(
        operation_id="list_webhook_event_types",
        summary="Event types, by name",
        description=(
            "What can happen, and what an event's `data` then hold: in webhooks, and in `GET /events`. Within a "
            "version a schema may gain optional fields, and new types may come: ignore what you do not know. "
            "Whatever else changes is a new version."
        ),
        tags=TAGS,
    )
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def read_page(self, *, limit: int, cursor: str | None) -> tuple[list[Any], str | None]:
        after = decode_cursor(cursor, [str])[0] if cursor else ""
        found = [name for name in sorted(catalogue.event_types()) if name > after]
        next_cursor = encode_cursor([found[limit - 1]]) if len(found) > limit else None
        return self.serialize([_shown(name) for name in found[:limit]]), next_cursor


class EventTypeView(TenantView):
    """GET /webhooks/event-types/{type}."""

    required_permissions = {"GET": Permission.WEBHOOKS_READ}

    @extend_schema(
        operation_id="get_webhook_event_type",
        summary="An event type with its schema and an example",
        tags=TAGS,
        responses=EventTypeSerializer,
    )
    def get(self, request: Request, event_type: str) -> Response:
        if event_type not in catalogue.event_types():
            raise NotFound
        return Response(EventTypeSerializer(_shown(event_type)).data)


def _shown(name: str) -> dict[str, Any]:
    found = catalogue.event_types()[name]
    return {
        "type": name,
        "version": found.version,
        "description": found.description,
        "schema": catalogue.schema(name),
        "example": catalogue.example(name),
    }
