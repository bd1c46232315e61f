"""The tenant's events."""

from collections.abc import Sequence

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api.permissions import Permission
from apps.core.api.views import TenantListView
from apps.outbox import selectors
from apps.outbox.api.serializers import EventQuery, EventSerializer
from apps.outbox.models import OutboxEvent


class EventListView(TenantListView):
    """The events that were relayed: newest first, or with `after` a feed to follow."""

    required_permissions = {"GET": Permission.EVENTS_READ}
    query_serializer = EventQuery
    serializer_class = EventSerializer

    @extend_schema(
        operation_id="list_events",
        tags=["Events"],
        summary="List events",
        description=(
            "Newest first. `sequence` numbers the tenant's events from 1 without a gap, and an event is listed once "
            "it has its number, a moment after the commit. To follow the events, ask with `after=0`, which answers "
            "oldest first, and go on with `after=<the last sequence seen>` for ever: no event is missed or repeated. "
            "What `data` hold is said by the JSON Schema of the event's `type` in its `schema_version`, see "
            "`GET /webhooks/event-types/{type}`."
        ),
    )
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    @property
    def ordering(self) -> Sequence[str]:  # type: ignore[override]
        """Newest first; a feed is oldest first."""
        return ("sequence",) if "after" in self.query else ("-sequence",)

    def rows(self) -> QuerySet[OutboxEvent]:
        query = self.query
        return selectors.relayed_events_for(
            tenant_id=self.tenant_id,
            type=query.get("type"),
            entity_id=query.get("entity_id"),
            after=query.get("after"),
        )
