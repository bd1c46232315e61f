"""Creating, suspending and reactivating tenants: what staff and the platform itself do."""

from datetime import datetime
from uuid import UUID

from apps.core.actor import Actor
from apps.core.db.violations import translate_violations
from apps.core.scope import write_scope
from apps.tenants import events
from apps.tenants.enums import Ending, TenantStatus
from apps.tenants.errors import SlugTaken, StaffOnly
from apps.tenants.models import Tenant
from apps.tenants.services.impersonations import end_impersonations
from apps.tenants.services.telling import tell


def create_tenant(*, slug: str, name: str, actor: Actor, now: datetime) -> Tenant:
    """Create an active tenant.

    The row is written in the scope of the tenant that it makes, so that its audit log and its events begin with
    its creation, and nothing needs the right to write across tenants.

    Raises:
        StaffOnly: the actor is a member or an API key.
        ValidationFailed: the slug or the name is malformed.
        SlugTaken: see the class.
    """
    _require_staff(actor)
    tenant = Tenant(slug=slug, name=name, created_at=now, updated_at=now)
    tenant.require_valid_fields()
    actor = actor.for_tenant(tenant.id)
    with write_scope(actor):
        with translate_violations({"tenants_tenant_slug_key": SlugTaken()}):
            tenant.save(force_insert=True)
        _tell(tenant, events.TENANT_CREATED, None, actor, now)
    return tenant


def suspend_tenant(*, tenant_id: UUID, actor: Actor, now: datetime) -> Tenant:
    """Refuse the tenant's credentials from now on, also while writing is off; a suspended one stays as it is.

    Raises:
        StaffOnly: the actor is a member or an API key.
    """
    return _change_status(tenant_id, TenantStatus.SUSPENDED, events.TENANT_SUSPENDED, actor, now)


def reactivate_tenant(*, tenant_id: UUID, actor: Actor, now: datetime) -> Tenant:
    """Accept the tenant's credentials again; an active tenant stays as it is.

    Raises:
        StaffOnly: the actor is a member or an API key.
    """
    return _change_status(tenant_id, TenantStatus.ACTIVE, events.TENANT_REACTIVATED, actor, now)


def set_require_mfa(
    *, tenant_id: UUID, require_mfa: bool, expected_version: int | None = None, actor: Actor, now: datetime
) -> Tenant:
    """Say whether members need a second factor: whoever has none reaches nothing, from now on, but what adds one.

    Raises:
        VersionConflict: the tenant has another version than expected.
    """
    actor = actor.for_tenant(tenant_id)
    with write_scope(actor):
        tenant = Tenant.objects.select_for_update(no_key=True).get(id=tenant_id)
        tenant.require_version(expected_version)
        if tenant.require_mfa != require_mfa:
            changes = {"require_mfa": [tenant.require_mfa, require_mfa]}
            tenant.require_mfa = require_mfa
            tenant.save_next("require_mfa", now=now)
            tell(events.policy_event(events.TENANT_POLICY_CHANGED, tenant), changes, actor, now)
    return tenant


def _change_status(tenant_id: UUID, status: TenantStatus, event: str, actor: Actor, now: datetime) -> Tenant:
    _require_staff(actor)
    actor = actor.for_tenant(tenant_id)
    # Suspending takes risk away, so it does not wait for writing to be switched on again.
    with write_scope(actor, even_if_read_only=status == TenantStatus.SUSPENDED):
        tenant = Tenant.objects.select_for_update().get(id=tenant_id)
        before = tenant.status
        if before != status:
            tenant.status = status
            tenant.save_next("status", now=now)
            _tell(tenant, event, before, actor, now)
        if status == TenantStatus.SUSPENDED:
            end_impersonations(ending=Ending.TENANT_SUSPENDED, actor=actor, now=now)
    return tenant


def _tell(tenant: Tenant, event: str, status_before: str | None, actor: Actor, now: datetime) -> None:
    changes = {"status": [status_before, str(tenant.status)]}
    if status_before is None:
        changes |= {"slug": [None, tenant.slug], "name": [None, tenant.name]}
    tell(events.tenant_event(event, tenant), changes, actor, now)


def _require_staff(actor: Actor) -> None:
    if actor.kind not in ("staff", "system"):
        raise StaffOnly
