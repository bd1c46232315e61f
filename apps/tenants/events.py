"""The events of the tenants room: their names, and payloads that carry no secret."""

from collections.abc import Mapping
from typing import Annotated, Any, TypedDict
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.outbox.catalogue import define
from apps.outbox.payloads import Instant, says
from apps.outbox.types import NewEvent
from apps.tenants.enums import ApiKeyMode, Ending, Meter, Plan, TenantStatus
from apps.tenants.models import ApiKey, Impersonation, Invitation, Membership, Tenant, TenantRole


class TenantData(TypedDict):
    """The tenant."""

    id: Annotated[UUID, says("The tenant.")]
    slug: Annotated[str, says("Its short name.", "acme")]
    name: Annotated[str, says("What it is called.", "Acme Capital")]
    status: Annotated[str, says("Whether its credentials are accepted.", one_of=TenantStatus.values)]


class PolicyData(TypedDict):
    """What the tenant asks of its members."""

    id: Annotated[UUID, says("The tenant.")]
    require_mfa: Annotated[bool, says("Whether a member needs a second factor.", True)]


class PlanData(TypedDict):
    """What the tenant has agreed with the platform."""

    id: Annotated[UUID, says("The tenant.")]
    plan: Annotated[str, says("Its plan.", "standard", one_of=Plan.values)]
    limits: Annotated[
        dict[str, int | None],
        says("What it may have of each, by the meter's name; null is no limit.", {"members": 25, "api_keys": None}),
    ]


class MemberData(TypedDict):
    """A member of the tenant."""

    id: Annotated[UUID, says("The membership.")]
    user_id: Annotated[UUID, says("The user who is a member.")]
    role: Annotated[str, says("The member's role: one of ours, or the slug of one of the tenant's own.", "trader")]


class RoleData(TypedDict):
    """A role of the tenant's own."""

    id: Annotated[UUID, says("The role.")]
    slug: Annotated[str, says("Its short name.", "night-desk")]
    name: Annotated[str, says("What it is called.", "Night desk")]
    permissions: Annotated[list[str], says("What it gives.", ["orders:read", "orders:write"])]
    conditions: Annotated[dict[str, Any], says("Under which conditions, by permission.", {})]


class InvitationData(TypedDict):
    """An invitation; the address stays with us."""

    id: Annotated[UUID, says("The invitation.")]
    role: Annotated[str, says("The role that it offers.", "viewer")]
    expires_at: Annotated[Instant, says("Until when it can be accepted.", "2026-03-09T14:30:00Z")]


class ApiKeyData(TypedDict):
    """An API key, without its secret."""

    id: Annotated[UUID, says("The key.")]
    name: Annotated[str, says("What it is called.", "Order router")]
    mode: Annotated[str, says("A test key reaches paper accounts only.", one_of=ApiKeyMode.values)]
    scopes: Annotated[list[str], says("What it may do.", ["orders:write"])]
    allowed_networks: Annotated[list[str], says("From where it may be used; empty is anywhere.", ["203.0.113.0/24"])]
    expires_at: Annotated[Instant | None, says("Until when it works.")]
    revoked_at: Annotated[Instant | None, says("When it was revoked.")]
    replaced_by: Annotated[UUID | None, says("The key that it was rolled into.")]


class ImpersonationData(TypedDict):
    """Staff of the platform who look at the tenant as one of its members."""

    id: Annotated[UUID, says("The impersonation.")]
    staff: Annotated[str, says("Who looks.", "grace")]
    user_id: Annotated[UUID, says("The member as whom.")]
    reason: Annotated[str, says("Why.", "The member cannot see an order.")]
    ticket: Annotated[str, says("The ticket that asked for it; empty where there is none.", "SUP-1042")]
    started_at: Annotated[Instant, says("When it began.")]
    expires_at: Annotated[Instant, says("When it ends at the latest.", "2026-03-02T15:00:00Z")]
    ended_at: Annotated[Instant | None, says("When it ended.")]
    ending: Annotated[str | None, says("What has ended it.", None, one_of=(*Ending.values, None))]


TENANT_CREATED = define("tenant.created", TenantData, _("The tenant was created."))
TENANT_SUSPENDED = define("tenant.suspended", TenantData, _("The tenant was suspended."))
TENANT_REACTIVATED = define("tenant.reactivated", TenantData, _("The tenant was reactivated."))
TENANT_POLICY_CHANGED = define(
    "tenant.policy_changed", PolicyData, _("What the tenant asks of its members has changed: `require_mfa`.")
)
TENANT_PLAN_CHANGED = define("tenant.plan_changed", PlanData, _("The tenant has another plan or other limits."))
MEMBER_ADDED = define("member.added", MemberData, _("A user has become a member."))
MEMBER_ROLE_CHANGED = define("member.role_changed", MemberData, _("A member has another role."))
MEMBER_REMOVED = define("member.removed", MemberData, _("A member was removed."))
ROLE_CREATED = define("role.created", RoleData, _("The tenant has defined a role."))
ROLE_CHANGED = define(
    "role.changed", RoleData, _("A role of the tenant's own gives something else, or under other conditions.")
)
ROLE_DELETED = define("role.deleted", RoleData, _("A role of the tenant's own was deleted."))
INVITATION_CREATED = define("invitation.created", InvitationData, _("Somebody was invited."))
INVITATION_RESENT = define("invitation.resent", InvitationData, _("An invitation is sent again."))
INVITATION_REVOKED = define("invitation.revoked", InvitationData, _("An invitation was revoked."))
INVITATION_ACCEPTED = define("invitation.accepted", InvitationData, _("An invitation was accepted."))
API_KEY_CREATED = define("api_key.created", ApiKeyData, _("An API key was created."))
API_KEY_REVOKED = define("api_key.revoked", ApiKeyData, _("An API key was revoked."))
API_KEY_ROLLED = define(
    "api_key.rolled", ApiKeyData, _("An API key was replaced by a new one; it works for some time yet.")
)
IMPERSONATION_STARTED = define(
    "impersonation.started",
    ImpersonationData,
    _("Staff of the platform look at the tenant as one of its members, for a reason."),
)
IMPERSONATION_ENDED = define(
    "impersonation.ended", ImpersonationData, _("Staff of the platform do not look at the tenant any more.")
)


def tenant_event(type_: str, tenant: Tenant) -> NewEvent:
    """Build an event about a tenant."""
    data: TenantData = {"id": tenant.id, "slug": tenant.slug, "name": tenant.name, "status": str(tenant.status)}
    return NewEvent(type=type_, entity_type="tenant", entity_id=tenant.id, data=data)


def policy_event(type_: str, tenant: Tenant) -> NewEvent:
    """Build an event about what a tenant asks of its members."""
    data: PolicyData = {"id": tenant.id, "require_mfa": tenant.require_mfa}
    return NewEvent(type=type_, entity_type="tenant", entity_id=tenant.id, data=data)


def plan_event(type_: str, tenant: Tenant, limits: Mapping[Meter, int | None]) -> NewEvent:
    """Build an event about a tenant's plan and its limits; null is no limit."""
    data: PlanData = {
        "id": tenant.id,
        "plan": str(tenant.plan),
        "limits": {str(meter): limit for meter, limit in limits.items()},
    }
    return NewEvent(type=type_, entity_type="tenant", entity_id=tenant.id, data=data)


def member_event(type_: str, membership: Membership) -> NewEvent:
    """Build an event about a member."""
    data: MemberData = {"id": membership.id, "user_id": membership.user_id, "role": str(membership.role)}
    return NewEvent(type=type_, entity_type="member", entity_id=membership.id, data=data)


def role_event(type_: str, role: TenantRole) -> NewEvent:
    """Build an event about a role of the tenant's own."""
    data: RoleData = {
        "id": role.id,
        "slug": role.slug,
        "name": role.name,
        "permissions": list(role.permissions),
        "conditions": role.conditions,
    }
    return NewEvent(type=type_, entity_type="role", entity_id=role.id, data=data)


def invitation_event(type_: str, invitation: Invitation) -> NewEvent:
    """Build an event about an invitation; the address stays in its row, which can be erased."""
    data: InvitationData = {"id": invitation.id, "role": str(invitation.role), "expires_at": invitation.expires_at}
    return NewEvent(type=type_, entity_type="invitation", entity_id=invitation.id, data=data)


def api_key_event(type_: str, key: ApiKey) -> NewEvent:
    """Build an event about an API key."""
    data: ApiKeyData = {
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
    data: ImpersonationData = {
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
