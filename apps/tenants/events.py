"""The events of the tenants room: their names, and payloads that carry no secret."""

from collections.abc import Mapping
from typing import Any

from apps.outbox.types import NewEvent
from apps.tenants.enums import Meter
from apps.tenants.models import ApiKey, Impersonation, Invitation, Membership, Tenant, TenantRole

TENANT_CREATED = "tenant.created"
TENANT_SUSPENDED = "tenant.suspended"
TENANT_REACTIVATED = "tenant.reactivated"
TENANT_POLICY_CHANGED = "tenant.policy_changed"
TENANT_PLAN_CHANGED = "tenant.plan_changed"
MEMBER_ADDED = "member.added"
MEMBER_ROLE_CHANGED = "member.role_changed"
MEMBER_REMOVED = "member.removed"
ROLE_CREATED = "role.created"
ROLE_CHANGED = "role.changed"
ROLE_DELETED = "role.deleted"
INVITATION_CREATED = "invitation.created"
INVITATION_RESENT = "invitation.resent"
INVITATION_REVOKED = "invitation.revoked"
INVITATION_ACCEPTED = "invitation.accepted"
API_KEY_CREATED = "api_key.created"
API_KEY_REVOKED = "api_key.revoked"
API_KEY_ROLLED = "api_key.rolled"
IMPERSONATION_STARTED = "impersonation.started"
IMPERSONATION_ENDED = "impersonation.ended"


def tenant_event(type_: str, tenant: Tenant) -> NewEvent:
    """Build an event about a tenant."""
    data = {"id": tenant.id, "slug": tenant.slug, "name": tenant.name, "status": str(tenant.status)}
    return NewEvent(type=type_, entity_type="tenant", entity_id=tenant.id, data=data)


def policy_event(type_: str, tenant: Tenant) -> NewEvent:
    """Build an event about what a tenant asks of its members."""
    data = {"id": tenant.id, "require_mfa": tenant.require_mfa}
    return NewEvent(type=type_, entity_type="tenant", entity_id=tenant.id, data=data)


def plan_event(type_: str, tenant: Tenant, limits: Mapping[Meter, int | None]) -> NewEvent:
    """Build an event about a tenant's plan and its limits; null is no limit."""
    data = {"id": tenant.id, "plan": str(tenant.plan), "limits": {str(meter): limit for meter, limit in limits.items()}}
    return NewEvent(type=type_, entity_type="tenant", entity_id=tenant.id, data=data)


def member_event(type_: str, membership: Membership) -> NewEvent:
    """Build an event about a member."""
    data = {"id": membership.id, "user_id": membership.user_id, "role": str(membership.role)}
    return NewEvent(type=type_, entity_type="member", entity_id=membership.id, data=data)


def role_event(type_: str, role: TenantRole) -> NewEvent:
    """Build an event about a role of the tenant's own."""
    data = {
        "id": role.id,
        "slug": role.slug,
        "name": role.name,
        "permissions": list(role.permissions),
        "conditions": role.conditions,
    }
    return NewEvent(type=type_, entity_type="role", entity_id=role.id, data=data)


def invitation_event(type_: str, invitation: Invitation) -> NewEvent:
    """Build an event about an invitation; the address stays in its row, which can be erased."""
    data = {"id": invitation.id, "role": str(invitation.role), "expires_at": invitation.expires_at}
    return NewEvent(type=type_, entity_type="invitation", entity_id=invitation.id, data=data)


def api_key_event(type_: str, key: ApiKey) -> NewEvent:
    """Build an event about an API key."""
    data: dict[str, Any] = {
        "id": key.id,
        "name": key.name,
        "mode": str(key.mode),
        "scopes": list(key.scopes),
        "allowed_networks": list(key.allowed_networks),
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "replaced_by": key.replaced_by,
    }
    return NewEvent(type=type_, entity_type="api_key", entity_id=key.id, data=data)


def impersonation_event(type_: str, impersonation: Impersonation) -> NewEvent:
    """Build an event about an impersonation: who looks, as whom, why, and what has ended it."""
    data: dict[str, Any] = {
        "id": impersonation.id,
        "staff": impersonation.staff_name,
        "user_id": impersonation.user_id,
        "reason": impersonation.reason,
        "ticket": impersonation.ticket,
        "started_at": impersonation.started_at,
        "expires_at": impersonation.expires_at,
        "ended_at": impersonation.ended_at,
        "ending": str(impersonation.ending) or None,
    }
    return NewEvent(type=type_, entity_type="impersonation", entity_id=impersonation.id, data=data)
