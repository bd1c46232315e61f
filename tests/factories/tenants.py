"""Tenants, members and API keys for tests."""

from collections.abc import Collection
from datetime import datetime

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.conditions import read_conditions
from apps.tenants.enums import ApiKeyMode, Role
from apps.tenants.models import Invitation, Tenant, TenantRole
from apps.tenants.roles import permissions_of
from apps.tenants.services import add_member, create_api_key, create_tenant, create_tenant_role, invite
from apps.tenants.services.invitations import open_token
from apps.users.models import User
from tests.factories.users import PASSWORD, make_user


def make_tenant(slug: str, *, now: datetime | None = None) -> Tenant:
    """Create a tenant named after its slug."""
    return create_tenant(slug=slug, name=slug.title(), actor=system_actor("tests"), now=now or clock.now())


def make_member(
    tenant: Tenant,
    username: str,
    role: str = Role.VIEWER,
    *,
    password: str = PASSWORD,
    user: User | None = None,
    now: datetime | None = None,
) -> User:
    """Create a user (or take the given one) and make them a member of the tenant."""
    now = now or clock.now()
    user = user or make_user(username, password, now=now)
    add_member(user=user, role=role, actor=system_actor("tests", tenant_id=tenant.id), now=now)
    return user


def make_role(
    tenant: Tenant, slug: str, permissions: Collection[str], *, conditions: object = None, now: datetime | None = None
) -> TenantRole:
    """Define a role of the tenant's own; `conditions` as the API takes them."""
    return create_tenant_role(
        slug=slug,
        name=slug.replace("-", " ").title(),
        permissions=permissions,
        conditions=read_conditions(conditions or {}),
        actor=system_actor("tests", tenant_id=tenant.id),
        now=now or clock.now(),
    )


def make_api_key(
    tenant: Tenant,
    role: str = Role.ADMIN,
    *,
    scopes: Collection[str] | None = None,
    name: str = "",
    mode: str = ApiKeyMode.TEST,
    allowed_networks: Collection[str] = (),
    expires_at: datetime | None = None,
    now: datetime | None = None,
) -> str:
    """Create an API key with these scopes, or those of a role, and return its secret."""
    created = create_api_key(
        name=name or f"{tenant.slug} {role}",
        mode=ApiKeyMode(mode),
        scopes=permissions_of(Role(role)) if scopes is None else scopes,
        allowed_networks=allowed_networks,
        expires_at=expires_at,
        actor=system_actor("tests", tenant_id=tenant.id),
        now=now or clock.now(),
    )
    return created.secret


def make_invitation(
    tenant: Tenant, email: str, role: str = Role.VIEWER, *, now: datetime | None = None
) -> tuple[Invitation, str]:
    """Invite somebody, and return the invitation and its token."""
    actor = system_actor("tests", tenant_id=tenant.id)
    invitation = invite(email=email, role=role, actor=actor, now=now or clock.now())
    return invitation, open_token(invitation)
