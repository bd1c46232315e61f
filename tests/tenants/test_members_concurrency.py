"""Owners who act upon each other at the same moment leave the tenant with one; an invitation works once."""

from collections.abc import Callable
from uuid import UUID

import pytest

from apps.core import clock
from apps.core.actor import Actor
from apps.core.errors import DomainError
from apps.core.scope import tenant_scope
from apps.tenants.enums import Role
from apps.tenants.models import Membership
from apps.tenants.services import NewUser, accept_invitation, change_role, remove_member
from apps.users.models import User
from apps.users.types import Origin
from tests.factories.tenants import make_invitation, make_member, make_tenant
from tests.threads import at_once


def code_of(act: Callable[[], None]) -> str:
    try:
        act()
    except DomainError as error:
        return error.code
    return "done"


@pytest.mark.commits
@pytest.mark.parametrize("means", ["demote", "remove"])
def test_two_owners_who_unseat_each_other(means: str) -> None:
    tenant = make_tenant("initech")
    users = [make_member(tenant, name, "owner") for name in ("ann", "bob")]
    with tenant_scope(tenant.id):
        places = {row.user_id: row.id for row in Membership.objects.all()}

    def unseat(own: UUID, other: UUID) -> None:
        actor = Actor(kind="user", label="owner", tenant_id=tenant.id, user_id=own)
        if means == "demote":
            change_role(member_id=places[other], role=Role.VIEWER, actor=actor, now=clock.now())
        else:
            remove_member(member_id=places[other], actor=actor, now=clock.now())

    ann, bob = (user.id for user in users)
    outcomes = at_once(lambda pair: code_of(lambda: unseat(*pair)), [(ann, bob), (bob, ann)])
    with tenant_scope(tenant.id):
        assert Membership.objects.filter(role=Role.OWNER).count() == 1
    # Whoever comes second is no owner, and handles members no more.
    assert sorted(outcomes) == ["done", "permission_denied"]


@pytest.mark.commits
def test_an_invitation_that_two_accept_at_once_makes_one_member() -> None:
    tenant = make_tenant("initech")
    _invitation, token = make_invitation(tenant, "neo@example.com")

    def accept(username: str) -> None:
        chosen = NewUser(username, "there is no spoon")
        accept_invitation(token=token, by=chosen, origin=Origin(), now=clock.now())

    outcomes = at_once(lambda name: code_of(lambda: accept(name)), ["neo", "smith"])
    assert sorted(outcomes) == ["done", "invalid_invitation"]
    with tenant_scope(tenant.id):
        assert Membership.objects.count() == 1
    assert User.objects.count() == 1
