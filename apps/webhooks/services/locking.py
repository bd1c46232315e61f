"""Finding and locking an endpoint of the open scope's tenant."""

from uuid import UUID

from apps.core.errors import NotFound, VersionConflict
from apps.webhooks.enums import EndpointStatus
from apps.webhooks.errors import EndpointDisabled
from apps.webhooks.models import Endpoint


def locked_endpoint(endpoint_id: UUID, *, expected_version: int | None = None) -> Endpoint:
    """Return an endpoint, locked.

    Raises:
        NotFound: the tenant has none of this id, or deleted it.
        VersionConflict: it has another version than expected.
    """
    rows = Endpoint.objects.select_for_update(no_key=True)
    endpoint = rows.filter(id=endpoint_id, deleted_at=None).first()
    if endpoint is None:
        raise NotFound
    if expected_version is not None and endpoint.version != expected_version:
        raise VersionConflict
    return endpoint


def locked_enabled_endpoint(endpoint_id: UUID) -> Endpoint:
    """Return an endpoint that is sent to, locked.

    Raises:
        NotFound: see `locked_endpoint`.
        EndpointDisabled: see the class.
    """
    endpoint = locked_endpoint(endpoint_id)
    if endpoint.status != EndpointStatus.ENABLED:
        raise EndpointDisabled
    return endpoint
