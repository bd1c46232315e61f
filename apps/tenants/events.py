"""The events of the tenants room: their names, and payloads that carry no secret."""

from typing import Any

from apps.tenants.models import ApiKey, Membership, Tenant

TENANT_CREATED = "tenant.created"
TENANT_SUSPENDED = "tenant.suspended"
TENANT_REACTIVATED = "tenant.reactivated"
MEMBER_ADDED = "member.added"
API_KEY_CREATED = "api_key.created"
API_KEY_REVOKED = "api_key.revoked"


def tenant_payload(tenant: Tenant) -> dict[str, Any]:
    """Return what events say about a tenant."""
    return {"id": tenant.id, "slug": tenant.slug, "name": tenant.name, "status": str(tenant.status)}


def member_payload(membership: Membership) -> dict[str, Any]:
    """Return what events say about a member."""
    return {"id": membership.id, "user_id": membership.user_id, "role": str(membership.role)}


def api_key_payload(key: ApiKey) -> dict[str, Any]:
    """Return what events say about an API key."""
    return {
        "id": key.id,
        "name": key.name,
        "mode": str(key.mode),
        "scopes": list(key.scopes),
        "allowed_networks": list(key.allowed_networks),
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }
