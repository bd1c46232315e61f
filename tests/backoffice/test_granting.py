"""Tenants are granted to staff, and taken back, on the staff user's page: with a reason, told in both logs."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from guardian.shortcuts import assign_perm

from apps.audit.models import AuditEntry
from apps.backoffice.granting import grant_tenant, revoke_tenant
from apps.backoffice.reach import OPERATE, granted_tenants, reach_of
from apps.core import clock
from apps.core.actor import Actor
from apps.core.errors import NotFound, PermissionMissing
from apps.core.scope import staff_scope
from apps.tenants.models import Impersonation, Membership
from apps.tenants.services import start_impersonation
from apps.users.models import User
from tests.backoffice.staff import enrol, open_session
from tests.backoffice.test_actions import told
from tests.backoffice.test_pages import get, list_url
from tests.backoffice.test_staff_tenants import make_helper
from tests.backoffice.world import World
from tests.factories.audit import opened

CHIEF = Actor(kind="staff", label="chief")


@pytest.fixture
def newcomer(world: World) -> User:
    """Staff without a tenant."""
    return make_helper(name="newcomer")


def url_of(user: User) -> str:
    return f"/admin/users/user/{user.pk}/do/tenants/"


def leaves(tenant_id) -> list[tuple[str, str, dict]]:
    with staff_scope():
        found = AuditEntry.objects.filter(tenant_id=tenant_id, action__startswith="staff.tenant_").order_by("position")
        return [(leaf.action, leaf.actor["label"], leaf.changes) for leaf in opened(found)]


def test_a_grant_counts_at_once_and_is_told_to_us_and_to_the_tenant(staff_client, newcomer, world: World):
    tenant, theirs = world.acme.tenant, open_session(newcomer, enrol(newcomer))
    assert "acme" not in get(theirs, list_url("tenants.tenant"))
    response = staff_client.post(url_of(newcomer), {"add": "acme", "reason": "on call"})
    assert told(staff_client, response) == ["Granted: acme."]
    assert "acme" in get(theirs, list_url("tenants.tenant"))
    leaf = {
        "granted": [False, True],
        "staff": [None, "newcomer"],
        "tenant": [None, "acme"],
        "reason": [None, "on call"],
    }
    assert leaves(None) == leaves(tenant.pk) == [("staff.tenant_granted", "staff", leaf)]
    for page in (f"/admin/users/user/{newcomer.pk}/change/", f"/admin/tenants/tenant/{tenant.pk}/change/"):
        assert "on call" in get(staff_client, page)


def test_what_is_taken_back_is_gone_at_once_with_what_they_look_at(staff_client, newcomer, world: World):
    tenant, theirs = world.acme.tenant, open_session(newcomer, enrol(newcomer))
    actor = Actor(kind="staff", label="newcomer", user_id=newcomer.pk, tenant_id=tenant.pk)
    with staff_scope():
        assign_perm(OPERATE, newcomer, tenant)
        member = Membership.objects.get(tenant_id=tenant.pk)
    start_impersonation(member_id=member.pk, reason="a call", ticket="T-1", actor=actor, now=clock.now())
    assert 'type="checkbox" name="remove"' in staff_client.post(url_of(newcomer)).content.decode()
    response = staff_client.post(url_of(newcomer), {"remove": [str(tenant.pk)], "reason": "left the team"})
    assert told(staff_client, response) == ["Taken back: acme."]
    assert "acme" not in get(theirs, list_url("tenants.tenant"))
    with staff_scope():
        assert Impersonation.objects.get().ended_at is not None
    assert [(action, changes["granted"]) for action, _who, changes in leaves(tenant.pk)] == [
        ("staff.tenant_revoked", [True, False])
    ]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"add": "acme", "reason": ""}, "Say why: the audit logs keep it."),
        ({"add": "acme, nowhere", "reason": "x"}, "There is no tenant with this slug: nowhere."),
        ({"add": "", "reason": "x"}, "Name a tenant to grant, or mark one to take back."),
    ],
)
def test_what_cannot_be_done_stands_on_the_form(data, said, staff_client, newcomer, world: World):
    assert said in staff_client.post(url_of(newcomer), data).content.decode()
    assert (granted_tenants(newcomer), leaves(None)) == ([], [])


def test_a_grant_that_stands_is_not_told_again(newcomer, world: World):
    asked = {"user_id": newcomer.pk, "tenant_id": world.acme.tenant.pk, "actor": CHIEF, "now": clock.now()}
    assert [grant_tenant(reason="a", **asked), grant_tenant(reason="b", **asked)] == [True, False]
    assert [revoke_tenant(reason="c", **asked), revoke_tenant(reason="d", **asked)] == [True, False]
    assert [action for action, _who, _changes in leaves(None)] == ["staff.tenant_granted", "staff.tenant_revoked"]


def test_members_are_granted_no_tenant(staff_client, world: World):
    member = world.acme.member
    assert staff_client.post(url_of(member), {"add": "globex", "reason": "x"}).status_code == 403
    with pytest.raises(NotFound):
        grant_tenant(user_id=member.pk, tenant_id=world.globex.tenant.pk, reason="x", actor=CHIEF, now=clock.now())


def test_limited_staff_grant_nothing_even_with_the_permission(newcomer, world: World):
    helper = make_helper(world.acme.tenant)
    with staff_scope():
        helper.user_permissions.add(Permission.objects.get(codename="grant_tenant"))
    client: Client = open_session(helper, enrol(helper))
    for user in (newcomer, helper):
        assert client.post(url_of(user), {"add": "acme globex", "reason": "x"}).status_code == 403
    with pytest.raises(PermissionMissing), staff_scope(reach_of(helper)):
        grant_tenant(user_id=helper.pk, tenant_id=world.acme.tenant.pk, reason="x", actor=CHIEF, now=clock.now())
    assert (granted_tenants(newcomer), granted_tenants(helper)) == ([], [world.acme.tenant.pk])
    assert leaves(None) == []
