"""Base views: authorise, parse, one service call, serialise."""

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from apps.core import clock, context
from apps.core.actor import Actor
from apps.core.api import limits
from apps.core.api.pagination import page
from apps.core.api.permissions import HasRequiredPermission
from apps.core.api.serializers import NoQuery, PageQuery
from apps.core.errors import (
    DomainError,
    PermissionMissing,
    SecondFactorRequired,
    UnknownQueryParameter,
    ValidationFailed,
)
from apps.core.principal import Principal
from apps.core.proof import require_fresh_proof
from apps.core.scope import tenant_scope

# What a view that reads `expected_version` documents.
IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description='The version that you have read, such as `"3"`'
)
KEY_SCHEMA = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"}
# Versions begin at 1.
NO_VERSION = 0
_VERSION = re.compile(r'"([1-9][0-9]{0,17})"|([1-9][0-9]{0,17})')


def etag(version: int) -> str:
    """Return the `ETag` of a resource's version."""
    return f'"{version}"'


class ApiView(APIView):
    """A view that parses strictly: it refuses query parameters that it does not know, or that come twice.

    `query_serializer` lists the query parameters of GET. A view that works without credentials names its own
    permission classes. `limited_by` names the policies (`settings.RATE_LIMITS`) that hold for it by address, beside
    those of its caller. Whoever is held under a ceiling, such as staff who look as a member, reaches what asks for a
    permission; of views with permission classes of their own only those that are `open_under_ceiling`. `takes_key`: its
    POST takes an `Idempotency-Key`; with `requires_key` it is refused without one.
    """

    query_serializer: ClassVar[type[BaseSerializer[Any]]] = NoQuery
    limited_by: ClassVar[Sequence[str]] = ()
    takes_key: ClassVar[bool] = False
    requires_key: ClassVar[bool] = False
    open_under_ceiling: ClassVar[bool] = False

    query: dict[str, Any]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method not in self.allowed_methods:
            raise MethodNotAllowed(str(request.method))  # before the query, which nobody defined for it
        self.query = self._parse_query(request)

    def perform_authentication(self, request: Request) -> None:
        try:
            super().perform_authentication(request)
        except DomainError:
            limits.charge(request._request, None)
            raise
        principal = request.auth if isinstance(request.auth, Principal) else None
        limits.charge(request._request, principal, also=self.limited_by)
        if isinstance(request.auth, Principal):
            context.set_actor(request.auth.actor)

    def check_permissions(self, request: Request) -> None:
        super().check_permissions(request)
        is_held_under = isinstance(request.auth, Principal) and request.auth.ceiling is not None
        if is_held_under and not self.open_under_ceiling and HasRequiredPermission not in self.permission_classes:
            raise PermissionMissing

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        # Balances and secrets are nobody's to keep on the way.
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    def parse(self, serializer_class: type[BaseSerializer[Any]]) -> dict[str, Any]:
        """Return the body, validated.

        Raises:
            ValidationError: DRF's; the handler makes a `validation_failed` problem of it.
        """
        serializer = serializer_class(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def expected_version(self) -> int | None:
        """Return the version that `If-Match` names, quoted or bare; None without the header and for `*`.

        What names no version, such as a weak tag, is NO_VERSION, which no row has: the service finds the conflict,
        once it has found the row.
        """
        header = self.request.headers.get("If-Match", "").strip()
        if not header or header == "*":
            return None
        match = _VERSION.fullmatch(header)
        return int(match[1] or match[2]) if match else NO_VERSION

    def _parse_query(self, request: Request) -> dict[str, Any]:
        serializer_class = self.query_serializer if request.method in ("GET", "HEAD") else NoQuery
        serializer = serializer_class(data={key: request.query_params[key] for key in request.query_params})
        known: set[str] = set(getattr(serializer, "fields", ()))
        unknown = sorted(set(request.query_params) - known)
        if unknown:
            raise UnknownQueryParameter(
                errors=[{"field": name, "code": "unknown_query_parameter", "message": name} for name in unknown]
            )
        repeated = sorted(name for name, values in request.query_params.lists() if len(values) > 1)
        if repeated:
            message = _("This parameter is given more than once.")
            raise ValidationFailed(
                errors=[{"field": name, "code": "repeated", "message": message} for name in repeated]
            )
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)


class TenantView(ApiView):
    """A view bound to the tenant of its credentials.

    `required_permissions` maps a method to the permission that it asks for; a method without one is denied.
    `judged_with_resource` are the methods whose services judge conditions on the resource (`require_conditions`):
    whoever holds a permission under such a condition is denied everywhere else. `looks_up_by_query`: its query names
    what is 404 where it does not exist. `sensitive` are the methods for which a user must have proved who they are not
    long ago. `open_while_enrolling`: it serves those, too, whose tenant wants a second factor that they do not have.
    """

    required_permissions: ClassVar[Mapping[str, str]] = {}
    takes_key = True
    looks_up_by_query: ClassVar[bool] = False
    judged_with_resource: ClassVar[Collection[str]] = ()
    sensitive: ClassVar[Collection[str]] = ()
    open_while_enrolling: ClassVar[bool] = False

    def check_permissions(self, request: Request) -> None:
        """Refuse whoever lacks the permission, the second factor that the tenant wants, or a fresh proof."""
        principal = request.auth
        if isinstance(principal, Principal) and principal.must_enrol and not self.open_while_enrolling:
            raise SecondFactorRequired(enrol_at=f"{settings.BASE_URL}/api/v1/auth/factors/totp")
        super().check_permissions(request)
        if request.method in self.sensitive:
            require_fresh_proof(self.principal, now=clock.now())

    @property
    def principal(self) -> Principal:
        """The authenticated principal."""
        assert isinstance(self.request.auth, Principal)
        return self.request.auth

    @property
    def actor(self) -> Actor:
        """Who acts, with the request's id and address."""
        return self.principal.actor

    @property
    def tenant_id(self) -> UUID:
        """The tenant that the credentials are bound to."""
        tenant_id = self.actor.tenant_id
        assert tenant_id is not None
        return tenant_id


class ListView(TenantView, ABC):
    """A list in pages, in the envelope that every list has."""

    query_serializer: ClassVar[type[BaseSerializer[Any]]] = PageQuery
    serializer_class: ClassVar[type[BaseSerializer[Any]]]

    @abstractmethod
    def read_page(self, *, limit: int, cursor: str | None) -> tuple[list[Any], str | None]:
        """Return one page as the answer shows it, and the cursor of the next, or None at the end."""

    def serialize(self, rows: Sequence[Any]) -> list[Any]:
        """Return the rows as the answer shows them; a hot list may do better than its serializer."""
        return list(self.serializer_class(rows, many=True).data)

    def get(self, request: Request, **_path: Any) -> Response:
        data, next_cursor = self.read_page(limit=self.query["limit"], cursor=self.query.get("cursor"))
        return Response({"data": data, "next_cursor": next_cursor})


class TenantListView(ListView):
    """A keyset-paginated list of the tenant's rows, read and serialised inside the tenant's scope."""

    ordering: ClassVar[Sequence[str]] = ("-id",)

    @abstractmethod
    def rows(self) -> QuerySet[Any]:
        """Return the rows for the parsed query, unordered."""

    def read_page(self, *, limit: int, cursor: str | None) -> tuple[list[Any], str | None]:
        with tenant_scope(self.tenant_id):
            rows, next_cursor = page(self.rows(), ordering=self.ordering, limit=limit, cursor=cursor)
            return self.serialize(rows), next_cursor
