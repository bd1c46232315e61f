"""Finding and locking an endpoint of the open scope's tenant."""

from uuid import UUID

from apps.core.db.finding import get_one
from apps.webhooks.enums import EndpointStatus
from apps.webhooks.errors import EndpointDisabled
from apps.webhooks.models import Endpoint


def locked_endpoint(endpoint_id: UUID, *, expected_version: int | None = None) -> Endpoint:
    """Return an endpoint, locked.

    Raises:
        NotFound: the tenant has none of this id, or deleted it.
        VersionConflict: it has another version than expected.
    """
    endpoint = get_one(Endpoint.objects.select_for_update(no_key=True).filter(id=endpoint_id, deleted_at=None))
    endpoint.require_version(expected_version)
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
