"""Who asks, the tenant, and its API keys."""

from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.permissions import HasRequiredPermission, Permission
from apps.core.api.views import IF_MATCH, TenantListView, TenantView, etag
from apps.core.scope import tenant_scope
from apps.idempotency.http import run_idempotently
from apps.tenants import selectors, services
from apps.tenants.api.permissions import IsAuthenticated, UsersPatch
from apps.tenants.api.serializers import (
    ApiKeyRequestSerializer,
    ApiKeyRollSerializer,
    ApiKeySerializer,
    MeSerializer,
    NewApiKeySerializer,
    TenantChangeSerializer,
    TenantSerializer,
    UsageSerializer,
)
from apps.tenants.enums import ApiKeyMode
from apps.tenants.models import ApiKey
from apps.tenants.types import Principal
from apps.tenants.usage import requests_of, usage_of


class MeView(TenantView):
    """GET /me."""

    permission_classes = [IsAuthenticated]
    open_while_enrolling = True
    open_under_ceiling = True

    @extend_schema(operation_id="get_me", summary="Who you are", tags=["Auth"], responses=MeSerializer)
    def get(self, request: Request) -> Response:
        principal = request.auth
        assert isinstance(principal, Principal)
        actor = principal.actor
        return Response(
            MeSerializer(
                {
                    "principal": {
                        "type": actor.kind,
                        "id": actor.user_id or actor.api_key_id,
                        "name": actor.label,
                    },
                    "tenant": principal.tenant,
                    "role": principal.role,
                    "mode": principal.mode,
                    "permissions": sorted(principal.reachable),
                    "grants": [
                        {
                            "permission": permission,
                            "accounts": sorted(objects.accounts),
                            "connections": sorted(objects.connections),
                        }
                        for permission, objects in sorted(actor.granted.items())
                    ],
                }
            ).data
        )


class CurrentTenantView(TenantView):
    """GET and PATCH /tenant."""

    # Whoever handles members says how these sign in.
    required_permissions = {"GET": Permission.TENANT_READ, "PATCH": Permission.MEMBERS_WRITE}
    permission_classes = [HasRequiredPermission, UsersPatch]
    sensitive = {"PATCH"}

    @extend_schema(operation_id="get_tenant", summary="Your tenant", tags=["Tenant"], responses=TenantSerializer)
    def get(self, request: Request) -> Response:
        with tenant_scope(self.tenant_id):
            tenant = selectors.get_tenant()
        return Response(TenantSerializer(tenant).data, headers={"ETag": etag(tenant.version)})

    @extend_schema(
        operation_id="change_tenant",
        summary="Say whether every member needs a second factor",
        description="With it, members without one reach nothing but what adds one, at once and in open sessions, too. "
        "An API key cannot change it, and goes on working.",
        tags=["Tenant"],
        parameters=[IF_MATCH],
        request=TenantChangeSerializer,
        responses=TenantSerializer,
    )
    def patch(self, request: Request) -> Response:
        body, version = self.parse(TenantChangeSerializer), self.expected_version()
        services.set_require_mfa(
            tenant_id=self.tenant_id, expected_version=version, actor=self.actor, now=clock.now(), **body
        )
        return self.get(request)


class UsageView(TenantView):
    """GET /usage."""

    required_permissions = {"GET": Permission.TENANT_READ}

    @extend_schema(
        operation_id="get_usage",
        summary="Your plan, and what is used of it",
        tags=["Tenant"],
        responses=UsageSerializer,
    )
    def get(self, request: Request) -> Response:
        with tenant_scope(self.tenant_id):
            tenant = selectors.get_tenant()
            now = clock.now()
            told = {"plan": tenant.plan, "limits": usage_of(tenant, now=now), "requests": requests_of(tenant, now=now)}
        return Response(UsageSerializer(told).data)


class ApiKeyListView(TenantListView):
    """GET and POST /api-keys."""

    required_permissions = {"GET": Permission.API_KEYS_READ, "POST": Permission.API_KEYS_WRITE}
    sensitive = {"POST"}
    serializer_class = ApiKeySerializer

    @extend_schema(operation_id="list_api_keys", summary="API keys, newest first", tags=["Tenant"])
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def rows(self) -> QuerySet[ApiKey]:
        return selectors.api_keys()

    @extend_schema(
        operation_id="create_api_key",
        summary="Create an API key; its secret is shown once",
        tags=["Tenant"],
        request=ApiKeyRequestSerializer,
        responses={201: NewApiKeySerializer},
    )
    def post(self, request: Request) -> Response:
        return run_idempotently(self, self._create, secret=True)

    def _create(self) -> Response:
        body = self.parse(ApiKeyRequestSerializer)
        body["mode"] = ApiKeyMode(body["mode"])
        return _with_secret(services.create_api_key(actor=self.actor, now=clock.now(), **body))


class ApiKeyView(TenantView):
    """GET and DELETE /api-keys/{id}."""

    required_permissions = {"GET": Permission.API_KEYS_READ, "DELETE": Permission.API_KEYS_WRITE}

    @extend_schema(operation_id="get_api_key", summary="An API key", tags=["Tenant"], responses=ApiKeySerializer)
    def get(self, request: Request, api_key_id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            key = selectors.get_api_key(api_key_id)
        return Response(ApiKeySerializer(key).data, headers={"ETag": etag(key.version)})

    @extend_schema(operation_id="revoke_api_key", summary="Revoke an API key", tags=["Tenant"], responses={204: None})
    def delete(self, request: Request, api_key_id: UUID) -> Response:
        services.revoke_api_key(api_key_id=api_key_id, actor=self.actor, now=clock.now())
        return Response(status=204)


class ApiKeyRollView(TenantView):
    """POST /api-keys/{id}/roll."""

    required_permissions = {"POST": Permission.API_KEYS_WRITE}
    sensitive = {"POST"}

    @extend_schema(
        operation_id="roll_api_key",
        summary="Replace an API key; the new secret is shown once",
        description="The new key has the old one's name, mode, scopes, networks and expiry.",
        tags=["Tenant"],
        parameters=[IF_MATCH],
        request=ApiKeyRollSerializer,
        responses={201: NewApiKeySerializer},
    )
    def post(self, request: Request, api_key_id: UUID) -> Response:
        with tenant_scope(self.tenant_id):
            selectors.get_api_key(api_key_id)
        return run_idempotently(self, lambda: self._roll(api_key_id), secret=True)

    def _roll(self, api_key_id: UUID) -> Response:
        body = self.parse(ApiKeyRollSerializer)
        version = self.expected_version()
        return _with_secret(
            services.roll_api_key(
                api_key_id=api_key_id, expected_version=version, actor=self.actor, now=clock.now(), **body
            )
        )


def _with_secret(created: services.NewApiKey) -> Response:
    data = {**ApiKeySerializer(created.key).data, "secret": created.secret}
    return Response(data, status=201, headers={"ETag": etag(created.key.version), "Cache-Control": "no-store"})
