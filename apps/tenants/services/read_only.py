"""Switching writing off and on again, for one tenant or for the whole installation."""

from datetime import datetime
from typing import Any
from uuid import UUID

from apps.audit import services as audit
from apps.core.actor import Actor
from apps.core.errors import NotFound
from apps.core.models import ReadOnlySwitch
from apps.core.scope import require_whole_installation, staff_scope, write_scope
from apps.tenants.errors import StaffOnly
from apps.tenants.models import Tenant

_TOLD_CHARACTERS = 200  # of the reason, to clients; the leaf keeps all of it


def engage_read_only(*, tenant_id: UUID | None, reason: str, actor: Actor, now: datetime) -> bool:
    """Refuse every write from now on, of one tenant or without one of all; return False if it was so before.

    What runs already may still commit.

    Raises:
        StaffOnly: the actor is a member or an API key.
        ValidationFailed: there is no reason.
        NotFound: there is no such tenant.
    """
    _require_staff(actor, tenant_id)
    switch = ReadOnlySwitch(tenant_id=tenant_id, reason=reason[:_TOLD_CHARACTERS], engaged_at=now)
    switch.require_valid_fields()
    with staff_scope():
        if tenant_id is not None and not Tenant.objects.filter(id=tenant_id).exists():
            raise NotFound
        told = {"reason": switch.reason, "engaged_at": now}
        _switch, engaged = ReadOnlySwitch.objects.get_or_create(tenant_id=tenant_id, defaults=told)
        if engaged:
            changes = {"read_only": [False, True], "reason": [None, reason]}
            _record("read_only.engaged", tenant_id, changes, actor, now)
    return engaged


def release_read_only(*, tenant_id: UUID | None, reason: str, actor: Actor, now: datetime) -> bool:
    """Accept writes again; return False if they were accepted before. It works while writing is off.

    Raises:
        StaffOnly: the actor is a member or an API key.
    """
    _require_staff(actor, tenant_id)
    with staff_scope():
        released, _by_model = ReadOnlySwitch.objects.filter(tenant_id=tenant_id).delete()
        if released:
            changes = {"read_only": [True, False], "reason": [None, reason]}
            _record("read_only.released", tenant_id, changes, actor, now)
    return bool(released)


def _record(action: str, tenant_id: UUID | None, changes: dict[str, Any], actor: Actor, now: datetime) -> None:
    if tenant_id is None:
        target: dict[str, Any] = {"target_type": "installation", "target_id": "installation"}
        audit.record(action=action, actor=actor, now=now, changes=changes, **target)
        return
    actor = actor.for_tenant(tenant_id)
    with write_scope(actor, even_if_read_only=True):
        audit.record(action=action, actor=actor, target_type="tenant", target_id=tenant_id, now=now, changes=changes)


def _require_staff(actor: Actor, tenant_id: UUID | None) -> None:
    if actor.kind not in ("staff", "system"):
        raise StaffOnly
    if tenant_id is None:
        require_whole_installation()
