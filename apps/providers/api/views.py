"""Providers, connections and their sync runs."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.pagination import decode_cursor, encode_cursor
from apps.core.api.permissions import Permission
from apps.core.api.serializers import NoBody
from apps.core.api.views import IF_MATCH, ListView, TenantListView, TenantView, etag
from apps.core.scope import tenant_scope
from apps.idempotency.http import run_idempotently
from apps.providers import selectors, services
from apps.providers.api.serializers import (
    ConnectionQuery,
    ConnectionSerializer,
    NewConnectionSerializer,
    ProviderSerializer,
    RequestedRunSerializer,
    SyncRunSerializer,
)
from apps.providers.enums import SyncTrigger
from apps.providers.models import Connection, SyncRun


class ProviderListView(ListView):
    """GET /providers."""

    required_permissions = {"GET": Permission.PROVIDERS_READ}
    serializer_class = ProviderSerializer

    @extend_schema(
        operation_id="list_providers",
        summary="Providers, by name: what they can do, whether they are up, what they need",
        tags=["Providers"],
    )
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def read_page(self, *, limit: int, cursor: str | None) -> tuple[list[Any], str | None]:
        after = decode_cursor(cursor, [str])[0] if cursor else ""
        found = [provider for provider in selectors.providers(now=clock.now()) if provider.name > after]
        next_cursor = encode_cursor([found[limit - 1].name]) if len(found) > limit else None
        return self.serialize(found[:limit]), next_cursor


class ConnectionListView(TenantListView):
    """GET and POST /connections."""

    required_permissions = {"GET": Permission.CONNECTIONS_READ, "POST": Permission.CONNECTIONS_WRITE}
    requires_key = True
    query_serializer = ConnectionQuery
    serializer_class = ConnectionSerializer

    @extend_schema(operation_id="list_connections", summary="Connections, newest first", tags=["Providers"])
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def rows(self) -> QuerySet[Connection]:
        return selectors.connections_for(
            tenant_id=self.tenant_id, provider=self.query.get("provider"), status=self.query.get("status")
        )

    @extend_schema(
        operation_id="create_connection",
        summary="Connect to a provider; the first sync starts at once and tries the credentials",
        tags=["Providers"],
        request=NewConnectionSerializer,
        responses={201: ConnectionSerializer},
    )
    def post(self, request: Request) -> Response:
        return run_idempotently(self, self._create)

    def _create(self) -> Response:
        body = self.parse(NewConnectionSerializer)
        connection = services.create_connection(actor=self.actor, now=clock.now(), **body)
        location = f"{self.request.path.rstrip('/')}/{connection.id}"
        return _connection_response(connection, status=201, headers={"Location": location})


class ConnectionView(TenantView):
    """GET and DELETE /connections/{id}."""

    required_permissions = {"GET": Permission.CONNECTIONS_READ, "DELETE": Permission.CONNECTIONS_WRITE}

    @extend_schema(
        operation_id="get_connection",
        summary="A connection, also after it was deleted",
        tags=["Providers"],
        responses=ConnectionSerializer,
    )
    def get(self, request: Request, connection_id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            connection = selectors.get_connection(tenant_id=self.tenant_id, connection_id=connection_id)
        return _connection_response(connection)

    @extend_schema(
        operation_id="delete_connection",
        summary="Disable a connection without open orders and destroy its credentials",
        description="Its accounts are closed, with an `account.updated` each; they and their transactions stay.",
        tags=["Providers"],
        parameters=[IF_MATCH],
        responses={204: None},
    )
    def delete(self, request: Request, connection_id: UUID) -> Response:
        services.delete_connection(
            connection_id=connection_id, expected_version=self.expected_version(), actor=self.actor, now=clock.now()
        )
        return Response(status=204)


class ConnectionSyncView(TenantView):
    """POST /connections/{id}/sync."""

    required_permissions = {"POST": Permission.CONNECTIONS_WRITE}

    @extend_schema(
        operation_id="sync_connection",
        summary="Synchronise now; while a run waits or works, that one is returned",
        tags=["Providers"],
        parameters=[IF_MATCH],
        request=None,
        responses={202: RequestedRunSerializer},
    )
    def post(self, request: Request, connection_id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            # What is not there, or not theirs, is a 404 before the key is looked at.
            selectors.get_connection(tenant_id=self.tenant_id, connection_id=connection_id)
        return run_idempotently(self, lambda: self._sync(connection_id))

    def _sync(self, connection_id: UUID) -> Response:
        self.parse(NoBody)
        run = services.request_sync(
            connection_id=connection_id,
            trigger=SyncTrigger.API,
            expected_version=self.expected_version(),
            actor=self.actor,
            now=clock.now(),
        )
        base = self.request.path.split("/connections/")[0]
        headers = {"Location": f"{base}/sync-runs/{run.id}"}
        return Response(RequestedRunSerializer(run).data, status=202, headers=headers)


class SyncRunListView(TenantListView):
    """GET /connections/{id}/runs."""

    required_permissions = {"GET": Permission.CONNECTIONS_READ}
    serializer_class = SyncRunSerializer

    @extend_schema(operation_id="list_sync_runs", summary="A connection's sync runs, newest first", tags=["Providers"])
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def rows(self) -> QuerySet[SyncRun]:
        connection_id = self.kwargs["connection_id"]
        selectors.get_connection(tenant_id=self.tenant_id, connection_id=connection_id)
        return selectors.runs_for(tenant_id=self.tenant_id, connection_id=connection_id)


class SyncRunView(TenantView):
    """GET /sync-runs/{id}."""

    required_permissions = {"GET": Permission.CONNECTIONS_READ}

    @extend_schema(operation_id="get_sync_run", summary="A sync run", tags=["Providers"], responses=SyncRunSerializer)
    def get(self, request: Request, run_id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            run = selectors.get_run(tenant_id=self.tenant_id, run_id=run_id)
        return Response(SyncRunSerializer(run).data)


def _connection_response(
    connection: Connection, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    data: dict[str, Any] = ConnectionSerializer(connection).data
    return Response(data, status=status, headers={"ETag": etag(connection.version), **(headers or {})})
