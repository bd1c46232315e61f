"""Granting tenants to staff and taking them back, with a reason: told in the installation's log and in the tenant's."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from guardian.models import UserObjectPermission
from guardian.shortcuts import assign_perm, remove_perm

from apps.audit.models import AuditEntry
from apps.audit.opening import OpenedEntry, open_entries
from apps.audit.services import record
from apps.audit.types import Personal
from apps.backoffice.reach import OPERATE, tenant_grants
from apps.core.actor import Actor
from apps.core.db.finding import get_one
from apps.core.scope import require_whole_installation, staff_scope, write_scope
from apps.tenants.errors import StaffOnly
from apps.tenants.models import Impersonation, Tenant
from apps.tenants.services import end_impersonation
from apps.users.models import User

GRANTED = "staff.tenant_granted"
REVOKED = "staff.tenant_revoked"


def grant_tenant(*, user_id: UUID, tenant_id: UUID, reason: str, actor: Actor, now: datetime) -> bool:
    """Let a staff user see a tenant and act upon it, from their next request on; return False if they could before.

    Raises:
        StaffOnly: the actor is a member or an API key.
        PermissionMissing: the actor is limited to some tenants: nobody grants what others may not grant them.
        NotFound: there is no such staff user, or no such tenant.
    """
    with staff_scope():
        user, tenant = _locked(user_id, tenant_id, actor)
        if _held(user, tenant).exists():
            return False
        assign_perm(OPERATE, user, tenant)
        _tell(GRANTED, user, tenant, [False, True], reason, actor, now)
    return True


def revoke_tenant(*, user_id: UUID, tenant_id: UUID, reason: str, actor: Actor, now: datetime) -> bool:
    """Take a tenant from a staff user, from their next request on; return False if they had it not.

    What they look at as one of the tenant's members ends at once.

    Raises:
        StaffOnly, PermissionMissing, NotFound: as `grant_tenant`.
    """
    with staff_scope():
        user, tenant = _locked(user_id, tenant_id, actor)
        if not _held(user, tenant).exists():
            return False
        remove_perm(OPERATE, user, tenant)
        looking = list(Impersonation.objects.filter(tenant_id=tenant.pk, staff_id=user.pk, ended_at=None))
        for impersonation in looking:
            ending = actor.for_tenant(tenant.pk)
            end_impersonation(impersonation_id=impersonation.pk, reason=reason, actor=ending, now=now)
        _tell(REVOKED, user, tenant, [True, False], reason, actor, now)
    return True


def latest_grants(staff: Sequence[User], tenants: Sequence[UUID]) -> dict[tuple[str, UUID], OpenedEntry]:
    """Return the leaf of each tenant's log that tells who granted it, when and why, by staff user and tenant."""
    keys = [str(user.pk) for user in staff]
    leaves = AuditEntry.objects.filter(tenant_id__in=tenants, target_id__in=keys, action=GRANTED).order_by("position")
    latest = {(leaf.target_id, leaf.tenant_id): leaf for leaf in leaves if leaf.tenant_id is not None}
    return dict(zip(latest, open_entries(latest.values()), strict=True))


def _locked(user_id: UUID, tenant_id: UUID, actor: Actor) -> tuple[User, Tenant]:
    """Return both, the user locked: of two who grant the same the other one waits."""
    if actor.kind not in ("staff", "system"):
        raise StaffOnly
    require_whole_installation()
    user = get_one(User.objects.select_for_update(no_key=True).filter(pk=user_id, is_staff=True))
    return user, get_one(Tenant.objects.filter(pk=tenant_id))


def _held(user: User, tenant: Tenant) -> "QuerySet[Any]":
    return tenant_grants(UserObjectPermission.objects.filter(user=user, object_pk=str(tenant.pk)))


def _tell(
    action: str, user: User, tenant: Tenant, granted: list[bool], reason: str, actor: Actor, now: datetime
) -> None:
    changes: dict[str, Any] = {
        "granted": granted,
        "tenant": [None, tenant.slug],
        "reason": [None, reason],
    }
    told: dict[str, Any] = {
        "action": action,
        "target_type": "user",
        "target_id": user.pk,
        "now": now,
        "changes": changes,
        "personal": Personal(user.pk, {"staff": [None, user.username]}),
    }
    record(actor=actor, **told)
    acting = actor.for_tenant(tenant.pk)
    with write_scope(acting, even_if_read_only=True):
        record(actor=acting, **told)
