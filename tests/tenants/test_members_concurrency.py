"""Owners who act upon each other at the same moment leave the tenant with one; an invitation works once."""

from collections import Counter
from threading import Barrier, Thread
from uuid import UUID

import pytest
from django.db import connection

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


@pytest.mark.commits
@pytest.mark.parametrize("means", ["demote", "remove"])
def test_two_owners_who_unseat_each_other(means: str) -> None:
    tenant = make_tenant("initech")
    users = [make_member(tenant, name, "owner") for name in ("ann", "bob")]
    with tenant_scope(tenant.id):
        places = {row.user_id: row.id for row in Membership.objects.all()}
    barrier, outcomes = Barrier(2), Counter[str]()

    def unseat(own: UUID, other: UUID) -> None:
        actor = Actor(kind="user", label="owner", tenant_id=tenant.id, user_id=own)
        barrier.wait(30)
        try:
            if means == "demote":
                change_role(member_id=places[other], role=Role.VIEWER, actor=actor, now=clock.now())
            else:
                remove_member(member_id=places[other], actor=actor, now=clock.now())
            outcomes["done"] += 1
        except DomainError as error:
            outcomes[error.code] += 1
        finally:
            connection.close()

    ann, bob = (user.id for user in users)
    threads = [Thread(target=unseat, args=pair) for pair in ((ann, bob), (bob, ann))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with tenant_scope(tenant.id):
        assert Membership.objects.filter(role=Role.OWNER).count() == 1
    # Whoever comes second is no owner, and handles members no more.
    assert outcomes == {"done": 1, "permission_denied": 1}


@pytest.mark.commits
def test_an_invitation_that_two_accept_at_once_makes_one_member() -> None:
    tenant = make_tenant("initech")
    _invitation, token = make_invitation(tenant, "neo@example.com")
    barrier, outcomes = Barrier(2), Counter[str]()

    def accept(username: str) -> None:
        barrier.wait(30)
        try:
            chosen = NewUser(username, "there is no spoon")
            accept_invitation(token=token, by=chosen, origin=Origin(), now=clock.now())
            outcomes["done"] += 1
        except DomainError as error:
            outcomes[error.code] += 1
        finally:
            connection.close()

    threads = [Thread(target=accept, args=(name,)) for name in ("neo", "smith")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert outcomes == {"done": 1, "invalid_invitation": 1}
    with tenant_scope(tenant.id):
        assert Membership.objects.count() == 1
    assert User.objects.count() == 1
