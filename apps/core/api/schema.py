"""OpenAPI: the list envelope, problem answers and common headers, said once for every view."""

from typing import Any

from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

from apps.core.api.serializers import NoQuery
from apps.core.api.views import ListView, TenantView


class AutoSchema(SpectacularAutoSchema):
    """Derives parameters, envelopes and problem answers from our base views."""

    def get_override_parameters(self) -> list[Any]:
        parameters: list[Any] = []
        if isinstance(self.view, TenantView) and self.method == "GET" and self.view.query_serializer is not NoQuery:
            parameters.append(self.view.query_serializer)
        if self.method == "POST" and isinstance(self.view, TenantView):
            parameters.append(
                OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER, description="1 to 255 characters")
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

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is not None:
            operation["responses"]["default"] = {
                "description": "A problem document (RFC 9457)",
                "content": {"application/problem+json": {"schema": PROBLEM_SCHEMA}},
            }
        return operation


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
                "properties": {"field": _STRING, "code": _STRING, "message": _STRING},
            },
        },
    },
}
