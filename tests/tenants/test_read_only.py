"""The read-only switch: engaged and released with a reason and a leaf, each once; what takes risk away ignores it."""

from dataclasses import replace

import pytest

from apps.audit.models import AuditEntry
from apps.core.actor import Actor, system_actor
from apps.core.errors import NotFound, ReadOnly, ValidationFailed
from apps.core.ids import new_id
from apps.core.models import ReadOnlySwitch
from apps.core.scope import staff_scope, tenant_scope
from apps.tenants.enums import Role
from apps.tenants.errors import StaffOnly
from apps.tenants.models import ApiKey
from apps.tenants.services import (
    add_member,
    engage_read_only,
    reactivate_tenant,
    release_read_only,
    revoke_api_key,
    suspend_tenant,
)
from tests.factories.tenants import make_api_key
from tests.factories.users import make_user

STAFF = Actor(kind="staff", label="sam", user_id=new_id())


def _leaves(tenant_id=None):
    with staff_scope():
        rows = AuditEntry.objects.filter(tenant_id=tenant_id, action__startswith="read_only.").order_by("position")
        return [(row.action, row.target_type, row.target_id, row.changes["reason"]) for row in rows]


def _write(tenant, now):
    actor = system_actor("tests", tenant_id=tenant.id)
    add_member(user=make_user(f"user-{new_id()}"), role=Role.VIEWER, actor=actor, now=now)


def test_a_tenants_switch_refuses_its_writes_alone_until_it_is_released(acme, globex, now):
    assert engage_read_only(tenant_id=acme.id, reason="Year-end closing", actor=STAFF, now=now)
    assert not engage_read_only(tenant_id=acme.id, reason="Again", actor=STAFF, now=now)
    with pytest.raises(ReadOnly, match="Year-end closing"):
        _write(acme, now)
    _write(globex, now)
    assert release_read_only(tenant_id=acme.id, reason="Closed", actor=STAFF, now=now)
    assert not release_read_only(tenant_id=acme.id, reason="Again", actor=STAFF, now=now)
    _write(acme, now)
    assert _leaves(acme.id) == [
        ("read_only.engaged", "tenant", str(acme.id), [None, "Year-end closing"]),
        ("read_only.released", "tenant", str(acme.id), [None, "Closed"]),
    ]
    assert _leaves() == _leaves(globex.id) == []


def test_the_installations_switch_refuses_everybodys_and_is_in_its_own_log(acme, now):
    engage_read_only(tenant_id=None, reason="Restore", actor=STAFF, now=now)
    engage_read_only(tenant_id=acme.id, reason="Its own", actor=STAFF, now=now)
    with pytest.raises(ReadOnly):
        _write(acme, now)
    release_read_only(tenant_id=acme.id, reason="Done", actor=STAFF, now=now)
    with pytest.raises(ReadOnly, match="Restore"):
        _write(acme, now)
    release_read_only(tenant_id=None, reason="Restored", actor=STAFF, now=now)
    _write(acme, now)
    assert _leaves() == [
        ("read_only.engaged", "installation", "installation", [None, "Restore"]),
        ("read_only.released", "installation", "installation", [None, "Restored"]),
    ]


def test_a_long_reason_is_told_in_part_and_kept_in_full(acme, now):
    engage_read_only(tenant_id=acme.id, reason="x" * 500, actor=STAFF, now=now)
    with staff_scope():
        assert ReadOnlySwitch.objects.get().reason == "x" * 200
    assert _leaves(acme.id)[0][3] == [None, "x" * 500]


@pytest.mark.parametrize("kind", ["user", "api_key"])
def test_only_staff_switch(acme, now, kind):
    member = replace(STAFF, kind=kind)
    with pytest.raises(StaffOnly):
        engage_read_only(tenant_id=acme.id, reason="mine", actor=member, now=now)
    engage_read_only(tenant_id=acme.id, reason="ours", actor=STAFF, now=now)
    with pytest.raises(StaffOnly):
        release_read_only(tenant_id=acme.id, reason="mine", actor=member, now=now)
    assert len(_leaves(acme.id)) == 1


def test_a_reason_and_an_existing_tenant_are_needed(acme, now):
    with pytest.raises(ValidationFailed):
        engage_read_only(tenant_id=acme.id, reason="", actor=STAFF, now=now)
    with pytest.raises(NotFound):
        engage_read_only(tenant_id=new_id(), reason="Nobody", actor=STAFF, now=now)
    with staff_scope():
        assert not ReadOnlySwitch.objects.exists()


def test_a_key_is_revoked_and_a_tenant_suspended_while_writing_is_off(acme, now):
    make_api_key(acme, role="viewer")
    with tenant_scope(acme.id):
        key = ApiKey.objects.get()
    engage_read_only(tenant_id=acme.id, reason="Incident", actor=STAFF, now=now)
    actor = STAFF.for_tenant(acme.id)
    assert revoke_api_key(api_key_id=key.id, actor=actor, now=now).revoked_at == now
    assert suspend_tenant(tenant_id=acme.id, actor=STAFF, now=now).status == "suspended"
    with pytest.raises(ReadOnly):
        reactivate_tenant(tenant_id=acme.id, actor=STAFF, now=now)
