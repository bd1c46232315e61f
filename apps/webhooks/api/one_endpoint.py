"""What the views of one endpoint share: finding it, and answering with it."""

from uuid import UUID

from rest_framework.response import Response

from apps.core.api.views import TenantView, etag
from apps.core.scope import tenant_scope
from apps.webhooks import selectors
from apps.webhooks.api.serializers import EndpointSerializer
from apps.webhooks.models import Endpoint


class EndpointBaseView(TenantView):
    """What the views of one endpoint share: it is looked up before a key or a body is looked at."""

    def require_endpoint(self, endpoint_id: UUID) -> Endpoint:
        """Return the tenant's endpoint.

        Raises:
            NotFound: see `selectors.get_endpoint`.
        """
        with tenant_scope(self.tenant_id):
            return selectors.get_endpoint(tenant_id=self.tenant_id, endpoint_id=endpoint_id)


def endpoint_response(endpoint: Endpoint) -> Response:
    """Return an endpoint with its version as ETag."""
    return Response(EndpointSerializer(endpoint).data, headers={"ETag": etag(endpoint.version)})


def response_with_secret(
    endpoint: Endpoint, secret: str, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Return an endpoint with its new secret, which nobody on the way keeps."""
    data = {**EndpointSerializer(endpoint).data, "secret": secret or None}
    return Response(
        data, status=status, headers={"ETag": etag(endpoint.version), "Cache-Control": "no-store", **(headers or {})}
    )
