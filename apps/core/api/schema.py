"""OpenAPI: the list envelope, problem answers and common headers, said once for every view."""

from http import HTTPStatus
from typing import Any

from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

from apps.core.api.serializers import NoQuery, StrictSerializer
from apps.core.api.views import KEY_SCHEMA, ApiView, ListView, TenantView


class AutoSchema(SpectacularAutoSchema):
    """Derives parameters, envelopes and problem answers from our base views."""

    def get_override_parameters(self) -> list[Any]:
        parameters: list[Any] = []
        if isinstance(self.view, TenantView) and self.method == "GET" and self.view.query_serializer is not NoQuery:
            parameters.append(self.view.query_serializer)
        # What signs in, and what belongs to it, takes no key: an answer that holds a credential is given once.
        is_auth = self.path.startswith("/api/v1/auth/")
        if self.method == "POST" and isinstance(self.view, ApiView) and self.view.takes_key and not is_auth:
            parameters.append(
                OpenApiParameter(
                    "Idempotency-Key", KEY_SCHEMA, OpenApiParameter.HEADER, required=self.view.requires_key
                )
            )
        return parameters

    def get_response_serializers(self) -> Any:
        if isinstance(self.view, ListView) and self.method == "GET":
            item = self.view.serializer_class
            name = item.__name__.removesuffix("Serializer") + "List"
            return inline_serializer(
                name,
                {"data": item(many=True), "next_cursor": serializers.CharField(allow_null=True)},
            )
        return super().get_response_serializers()

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        mapped = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if isinstance(serializer, StrictSerializer):
            mapped["additionalProperties"] = False
        return mapped

    def _map_serializer_field(self, field: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        mapped = super()._map_serializer_field(field, direction, bypass_extensions)  # type: ignore[no-untyped-call]
        if isinstance(field, serializers.ListField) and not field.allow_empty:
            mapped["minItems"] = 1
        return mapped

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is not None:
            refusals = self._refusals(operation.get("parameters", []))
            operation["responses"].update({str(status): _refusal(status) for status in sorted(refusals)})
        return operation

    def _refusals(self, parameters: list[dict[str, Any]]) -> set[int]:
        """Return the statuses that the operation refuses with, beyond those of every request and of our failures."""
        places = {(parameter["in"], parameter["name"]) for parameter in parameters}
        writes, has_body = self.method != "GET", self.method in ("POST", "PUT", "PATCH")
        is_idempotent = ("header", "Idempotency-Key") in places
        conditions = {
            401: isinstance(self.view, TenantView) or writes,  # what signs in takes credentials in its body
            403: isinstance(self.view, TenantView) or writes,
            404: self._looks_up(places) or (has_body and isinstance(self.view, TenantView)),
            409: writes or any(place == "path" for place, _name in places),
            412: ("header", "If-Match") in places,
            413: writes,
            415: has_body,
            422: is_idempotent,
        }
        return _OF_EVERY_REQUEST | {status for status, applies in conditions.items() if applies}

    def _looks_up(self, places: set[tuple[str, str]]) -> bool:
        """Return whether the request names something that has to exist, in its path or by a view's own query."""
        if isinstance(self.view, TenantView) and self.view.looks_up_by_query:
            return True
        return any(place == "path" for place, _name in places)


_OF_EVERY_REQUEST = {400, 406, 414, 429, 431, 503}
_STRING = {"type": "string"}
PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": _STRING,
        "status": {"type": "integer"},
        "detail": _STRING,
        "instance": _STRING,
        "code": _STRING,
        "request_id": _STRING,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "message"],
                "properties": {"field": _STRING, "code": _STRING, "message": _STRING},
                "additionalProperties": False,
            },
        },
    },
}


def _refusal(status: int) -> dict[str, Any]:
    """Return the response of a status that is a problem document."""
    headers: dict[str, Any] = {"WWW-Authenticate": {"schema": _STRING}} if status == 401 else {}
    if status in (429, 503):
        headers["Retry-After"] = {"schema": _STRING}
    return {
        "description": f"{HTTPStatus(status).phrase}: a problem document (RFC 9457)",
        **({"headers": headers} if headers else {}),
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def add_problem(result: dict[str, Any], **_generator: Any) -> dict[str, Any]:
    """Name the problem document's schema once for all operations; a hook of drf-spectacular."""
    result["components"]["schemas"]["Problem"] = PROBLEM_SCHEMA
    return result
