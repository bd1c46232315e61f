"""How an impersonation begins, whom it may be of, and everything that ends it."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from guardian.shortcuts import assign_perm, remove_perm

from apps.audit.leaf import compute_leaf_hash
from apps.audit.models import AuditEntry
from apps.core import context
from apps.core.actor import Actor, system_actor
from apps.core.context import Context
from apps.core.errors import DomainError, ImpersonationReads, NotFound, ValidationFailed
from apps.core.ids import new_id
from apps.core.scope import staff_scope, tenant_scope, write_scope
from apps.outbox.models import OutboxEvent
from apps.tenants import selectors
from apps.tenants.errors import AlreadyImpersonating, CannotBeImpersonated, ImpersonationOver, StaffOnly
from apps.tenants.models import Impersonation, Membership, Tenant
from apps.tenants.services import (
    end_impersonation,
    end_impersonations_of_staff,
    record_look,
    remove_member,
    set_require_mfa,
    settle_impersonations,
    start_impersonation,
    suspend_tenant,
)
from apps.tenants.types import Principal
from apps.users.models import User
from apps.users.services import add_totp_device
from tests import databases
from tests.factories.accounts import make_account, make_grant
from tests.factories.audit import opened
from tests.factories.impersonations import make_impersonation, make_token, staff_acting
from tests.factories.tenants import make_member, make_tenant
from tests.factories.users import make_user
from tests.threads import at_once

QUARTER = timedelta(minutes=15)


@pytest.fixture
def dana(acme: Tenant) -> User:
    return make_member(acme, "dana", "trader")


def stored(impersonation: Impersonation) -> Impersonation:
    with staff_scope():
        return Impersonation.objects.get(pk=impersonation.pk)


def leaves(tenant: Tenant, action: str) -> list[AuditEntry]:
    with tenant_scope(tenant.id):
        return opened(AuditEntry.objects.filter(action=action).order_by("position"))


def told(tenant: Tenant, type_: str) -> list[Any]:
    with tenant_scope(tenant.id):
        return [event.data for event in OutboxEvent.objects.filter(type=type_).order_by("position")]


def seen_by(staff: User, now: datetime) -> Principal | None:
    return selectors.find_impersonation(staff_id=staff.id, ip="", request_id="", now=now)


def test_the_tenant_is_told_who_looks_as_whom_and_why(acme: Tenant, dana: User, staff: User, now: datetime) -> None:
    begun = make_impersonation(acme, dana, staff, now=now)
    assert (begun.started_at, begun.expires_at, begun.ended_at) == (now, now + QUARTER, None)
    (leaf,) = leaves(acme, "impersonation.started")
    assert leaf.actor["kind"] == "staff"
    assert leaf.actor["user_id"] == str(staff.id)
    assert leaf.changes == {
        "user_id": [None, str(dana.id)],
        "member_name": [None, "Dana"],
        "reason": [None, "They see no balance"],
        "ticket": [None, "SUP-1204"],
        "expires_at": [None, "2026-03-02T12:15:00Z"],
    }
    (event,) = told(acme, "impersonation.started")
    assert (event["staff"], event["reason"], event["ticket"]) == ("staff", "They see no balance", "SUP-1204")
    assert (event["user_id"], event["ending"]) == (str(dana.id), None)


@pytest.mark.parametrize(("reason", "ticket", "field"), [(" ", "SUP-1", "reason"), ("why", "", "ticket")])
def test_reason_and_ticket_are_required(
    acme: Tenant, dana: User, staff: User, now: datetime, reason: str, ticket: str, field: str
) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        start_impersonation(
            member_id=membership_of(acme, dana).id,
            reason=reason,
            ticket=ticket,
            actor=staff_acting(staff, acme),
            now=now,
        )
    assert [error["field"] for error in refusal.value.extra["errors"]] == [field]
    assert_nothing_began(acme)


def membership_of(tenant: Tenant, member: User) -> Membership:
    with staff_scope():
        return Membership.objects.get(tenant_id=tenant.id, user_id=member.id)


def assert_nothing_began(tenant: Tenant) -> None:
    with staff_scope():
        assert list(Impersonation.objects.all()) == []
    assert leaves(tenant, "impersonation.started") == []
    assert told(tenant, "impersonation.started") == []


def test_nobody_looks_as_staff_as_the_deactivated_or_into_a_suspended_tenant(
    acme: Tenant, staff: User, now: datetime
) -> None:
    colleague = make_member(acme, "", user=make_user("colleague", is_staff=True))
    gone = make_member(acme, "gone")
    globex = make_tenant("globex")
    theirs = make_member(globex, "theirs")
    with staff_scope():
        User.objects.filter(pk=gone.pk).update(is_active=False)
    suspend_tenant(tenant_id=globex.id, actor=system_actor("tests"), now=now)
    for tenant, member in ((acme, colleague), (acme, gone), (globex, theirs)):
        with pytest.raises(CannotBeImpersonated):
            make_impersonation(tenant, member, staff, now=now)
        assert_nothing_began(tenant)


def test_nobody_looks_as_a_member_who_has_yet_to_enrol(acme: Tenant, dana: User, staff: User, now: datetime) -> None:
    set_require_mfa(tenant_id=acme.id, require_mfa=True, actor=system_actor("tests", tenant_id=acme.id), now=now)
    with pytest.raises(CannotBeImpersonated, match="wants a second factor that they do not have yet"):
        make_impersonation(acme, dana, staff, now=now)
    assert_nothing_began(acme)
    add_totp_device(user=dana, key=b"seed".hex(), actor=system_actor("tests"), now=now)
    assert make_impersonation(acme, dana, staff, now=now).ended_at is None


def test_nobody_looks_as_a_member_who_was_granted_single_accounts(
    acme: Tenant, dana: User, staff: User, now: datetime
) -> None:
    quinn, account = make_member(acme, "quinn", "billing"), make_account(acme)
    for member in (dana, quinn):
        make_grant(acme, member, "accounts:read", account)
    with pytest.raises(CannotBeImpersonated, match="were granted single accounts or connections"):
        make_impersonation(acme, quinn, staff, now=now)
    assert_nothing_began(acme)
    # Dana has it by her role: the grant adds nothing to what she sees.
    assert make_impersonation(acme, dana, staff, now=now).ended_at is None


def test_a_member_of_another_tenant_is_not_found(acme: Tenant, dana: User, staff: User, now: datetime) -> None:
    globex = make_tenant("globex")
    for key in (membership_of(acme, dana).id, new_id()):
        with pytest.raises(NotFound):
            start_impersonation(member_id=key, reason="why", ticket="T", actor=staff_acting(staff, globex), now=now)
    assert_nothing_began(globex)


def test_only_staff_begin_one_and_nobody_who_looks_as_a_member(
    acme: Tenant, dana: User, staff: User, now: datetime
) -> None:
    member = membership_of(acme, dana).id
    retired = make_user("retired", is_staff=False)
    actors = [
        Actor(kind="user", label="dana", tenant_id=acme.id, user_id=dana.id),
        Actor(kind="staff", label="x", tenant_id=acme.id, user_id=staff.id, impersonator_id=staff.id),
        Actor(kind="staff", label="retired", tenant_id=acme.id, user_id=retired.id),
        system_actor("tests", tenant_id=acme.id),
    ]
    for actor in actors:
        with pytest.raises(StaffOnly):
            start_impersonation(member_id=member, reason="why", ticket="T", actor=actor, now=now)
    assert_nothing_began(acme)


def test_one_at_a_time_whatever_the_tenant(acme: Tenant, dana: User, staff: User, now: datetime) -> None:
    globex = make_tenant("globex")
    theirs = make_member(globex, "theirs")
    make_impersonation(acme, dana, staff, now=now)
    with pytest.raises(AlreadyImpersonating):
        make_impersonation(globex, theirs, staff, now=now + QUARTER - timedelta(microseconds=1))
    other = make_user("other", is_staff=True)
    make_impersonation(globex, theirs, other, now=now)
    # What is over by itself stands in nobody's way, and its end is told first.
    second = make_impersonation(globex, make_member(globex, "third"), staff, now=now + QUARTER)
    assert second.started_at == now + QUARTER
    (ended,) = told(acme, "impersonation.ended")
    assert (ended["ending"], ended["ended_at"]) == ("expired", "2026-03-02T12:15:00Z")


def test_who_began_it_ends_it(acme: Tenant, dana: User, staff: User, now: datetime) -> None:
    begun = make_impersonation(acme, dana, staff, now=now)
    at = now + timedelta(minutes=3)
    assert end_impersonation(impersonation_id=begun.id, actor=staff_acting(staff, acme), now=at)
    row = stored(begun)
    assert (row.ended_at, row.ending, row.ended_by) == (at, "ended", "staff")
    assert not end_impersonation(impersonation_id=begun.id, actor=staff_acting(staff, acme), now=at)
    assert len(leaves(acme, "impersonation.ended")) == len(told(acme, "impersonation.ended")) == 1
    assert seen_by(staff, at) is None


def test_another_ends_it_and_says_why(acme: Tenant, dana: User, staff: User, now: datetime) -> None:
    begun, other = make_impersonation(acme, dana, staff, now=now), make_user("other", is_staff=True)
    with pytest.raises(ValidationFailed):
        end_impersonation(impersonation_id=begun.id, actor=staff_acting(other, acme), now=now)
    assert seen_by(staff, now) is not None
    end_impersonation(
        impersonation_id=begun.id, reason="The ticket is closed", actor=staff_acting(other, acme), now=now
    )
    row = stored(begun)
    assert (row.ending, row.ended_by, row.end_reason) == ("stopped", "other", "The ticket is closed")
    assert seen_by(staff, now) is None
    (leaf,) = leaves(acme, "impersonation.ended")
    assert leaf.changes == {"ending": [None, "stopped"], "looks": [0, 0], "reason": [None, "The ticket is closed"]}


def test_of_another_tenant_it_is_not_found(acme: Tenant, dana: User, staff: User, now: datetime) -> None:
    begun = make_impersonation(acme, dana, staff, now=now)
    with pytest.raises(NotFound):
        end_impersonation(
            impersonation_id=begun.id, reason="x", actor=staff_acting(staff, make_tenant("globex")), now=now
        )
    assert stored(begun).ended_at is None


def test_signing_out_ends_it(acme: Tenant, dana: User, staff: User, now: datetime) -> None:
    begun = make_impersonation(acme, dana, staff, now=now)
    actor = Actor(kind="staff", label="staff", user_id=staff.id)
    assert end_impersonations_of_staff(staff_id=staff.id, actor=actor, now=now) == 1
    assert stored(begun).ending == "signed_out"


def test_in_an_incident_all_of_them_end(acme: Tenant, dana: User, staff: User, now: datetime) -> None:
    globex = make_tenant("globex")
    rows = [
        make_impersonation(acme, dana, staff),
        make_impersonation(globex, make_member(globex, "theirs"), make_user("other", is_staff=True)),
    ]
    with pytest.raises(CommandError, match="Say why"):
        call_command("end_impersonations", " ")
    said = StringIO()
    call_command("end_impersonations", "A laptop was stolen", stdout=said)
    assert said.getvalue() == "2 ended.\n"
    for row in rows:
        ended = stored(row)
        assert (ended.ending, ended.ended_by, ended.end_reason) == (
            "stopped",
            "end_impersonations",
            "A laptop was stolen",
        )


def test_the_members_removal_and_the_tenants_suspension_end_it(acme: Tenant, staff: User, now: datetime) -> None:
    for name, ending in (("dana", "member_left"), ("eli", "tenant_suspended")):
        member = make_member(acme, name)
        begun = make_impersonation(acme, member, staff, now=now)
        if ending == "member_left":
            actor = system_actor("tests", tenant_id=acme.id)
            remove_member(member_id=membership_of(acme, member).id, actor=actor, now=now)
        else:
            suspend_tenant(tenant_id=acme.id, actor=staff_acting(staff, acme), now=now)
        assert stored(begun).ending == ending
        assert seen_by(staff, now) is None


def let_go(staff: User, dana: User, what: str) -> None:
    with staff_scope():
        changed = {"a staff user no more": staff, "the member is deactivated": dana, "the member is staff now": dana}
        values = {"a staff user no more": {"is_staff": False}, "the member is staff now": {"is_staff": True}}
        User.objects.filter(pk=changed[what].pk).update(**values.get(what, {"is_active": False}))


@pytest.mark.worker_login
@pytest.mark.parametrize(
    ("what", "ending"),
    [
        ("a staff user no more", "staff_left"),
        ("the permission is gone", "staff_left"),
        ("the tenant is not theirs any more", "staff_left"),
        ("the member is deactivated", "member_left"),
        ("the member is staff now", "member_left"),
        ("time", "expired"),
        ("nothing", ""),
    ],
)
def test_what_nobody_can_look_through_any_more_is_settled(what: str, ending: str, now: datetime, database: str) -> None:
    databases.log_in("web", database)
    acme = make_tenant("acme")
    dana, helper = make_member(acme, "dana"), make_user("helper", is_staff=True)
    may = Permission.objects.get(codename="impersonate_membership")
    with staff_scope():
        helper.user_permissions.add(may)
        assign_perm("tenants.operate_tenant", helper, acme)
    begun = make_impersonation(acme, dana, helper, now=now)
    at = now + (QUARTER if what == "time" else timedelta(seconds=1))
    if what == "the permission is gone":
        with staff_scope():
            helper.user_permissions.remove(may)
    elif what == "the tenant is not theirs any more":
        with staff_scope():
            remove_perm("tenants.operate_tenant", helper, acme)
    elif what not in ("time", "nothing"):
        let_go(helper, dana, what)
    databases.log_in("worker", database)
    assert settle_impersonations(now=at) == (1 if ending else 0)
    assert settle_impersonations(now=at) == 0
    databases.log_in("web", database)
    assert (stored(begun).ending, len(told(acme, "impersonation.ended"))) == (ending, 1 if ending else 0)


def test_a_token_is_stored_as_a_hash_and_replaces_the_one_before(
    acme: Tenant, dana: User, staff: User, now: datetime
) -> None:
    begun = make_impersonation(acme, dana, staff, now=now)
    first, second = (make_token(begun, staff, acme, now=now) for _ in range(2))
    assert first.startswith("fos_")
    found = [
        selectors.find_impersonation(token=token, ip="", request_id="", now=now) is not None
        for token in (first, second, second.encode().hex())
    ]
    assert found == [False, True, False]
    assert len(bytes(stored(begun).token_hash or b"")) == 32
    for leaf in leaves(acme, "impersonation.token_issued"):
        assert second not in str(leaf.changes)
    other = make_user("other", is_staff=True)
    with pytest.raises(NotFound):
        make_token(begun, other, acme, now=now)
    with pytest.raises(ImpersonationOver):
        make_token(begun, staff, acme, now=now + QUARTER)


def test_it_gives_what_the_member_may_read_under_a_ceiling_and_both_identities(
    acme: Tenant, dana: User, staff: User, now: datetime
) -> None:
    make_impersonation(acme, dana, staff, now=now)
    principal = seen_by(staff, now + QUARTER - timedelta(microseconds=1))
    assert principal is not None
    assert (principal.actor.user_id, principal.actor.impersonator_id) == (dana.id, staff.id)
    assert (principal.actor.kind, principal.actor.label) == ("user", "staff as a member")
    assert (principal.session_id, principal.mode, principal.role) == (None, None, "trader")
    assert seen_by(staff, now + QUARTER) is None


def test_nothing_is_written_under_it(acme: Tenant, dana: User, staff: User, now: datetime) -> None:
    make_impersonation(acme, dana, staff, now=now)
    principal = seen_by(staff, now)
    assert principal is not None
    with pytest.raises(ImpersonationReads), write_scope(principal.actor):
        pass
    with context.use(Context(actor=principal.actor)):
        with pytest.raises(ImpersonationReads), write_scope(system_actor("tests", tenant_id=acme.id)):
            pass
        with pytest.raises(ImpersonationReads), staff_scope():
            pass


def look(principal: Principal, now: datetime) -> None:
    with context.use(Context(actor=principal.actor, request_id="a-look")):
        record_look(principal=principal, request="GET /api/v1/accounts", status=200, now=now)


def test_a_look_is_a_leaf_in_the_tenants_log_and_counted(acme: Tenant, dana: User, staff: User, now: datetime) -> None:
    begun = make_impersonation(acme, dana, staff, now=now)
    principal = seen_by(staff, now)
    assert principal is not None
    look(principal, now + timedelta(seconds=5))
    (leaf,) = leaves(acme, "impersonation.looked")
    assert (leaf.target_type, leaf.target_id) == ("impersonation", str(begun.id))
    assert leaf.changes == {"request": [None, "GET /api/v1/accounts"], "status": [None, 200]}
    assert (leaf.actor["user_id"], leaf.actor["impersonator_id"]) == (str(dana.id), str(staff.id))
    with tenant_scope(acme.id):
        assert bytes(leaf.leaf_hash) == compute_leaf_hash(AuditEntry.objects.get(pk=leaf.pk))
    row = stored(begun)
    assert (row.looks, row.looked_at) == (1, now + timedelta(seconds=5))


def test_no_look_of_what_is_long_over_or_of_another_tenant(
    acme: Tenant, dana: User, staff: User, now: datetime
) -> None:
    make_impersonation(acme, dana, staff, now=now)
    principal = seen_by(staff, now)
    assert principal is not None
    with pytest.raises(DatabaseError, match="no look of a live impersonation"), transaction.atomic():
        look(principal, now + QUARTER + timedelta(minutes=2))
    assert leaves(acme, "impersonation.looked") == []


def test_the_database_holds_the_time_and_the_explanation(acme: Tenant, dana: User, staff: User, now: datetime) -> None:
    begun = make_impersonation(acme, dana, staff, now=now)
    for changes in (
        {"expires_at": now + QUARTER + timedelta(seconds=1)},
        {"user_id": staff.id},
        {"reason": ""},
        {"ticket": ""},
    ):
        values = {
            name: getattr(begun, name)
            for name in ("tenant_id", "user_id", "staff_name", "member_name", "reason", "ticket", "started_at")
        }
        other = make_user(f"s-{next(iter(changes))}".replace("_", "-"), is_staff=True)
        values |= {"staff_id": other.id, "expires_at": begun.expires_at} | changes
        if "user_id" in changes:
            values["staff_id"] = staff.id
        with (
            pytest.raises(DatabaseError, match="tenants_impersonation_"),
            write_scope(system_actor("tests", tenant_id=acme.id)),
        ):
            Impersonation.objects.create(**values)


def four_at_once(act: Callable[[], object]) -> Counter[object]:
    def run(_number: int) -> object:
        try:
            return act()
        except DomainError as error:
            return error.code

    return Counter(at_once(run, range(4)))


@pytest.mark.commits
def test_of_many_starts_and_many_ends_at_once_one_counts(now: datetime) -> None:
    acme, staff = make_tenant("acme"), make_user("staff", is_staff=True, is_superuser=True)
    members = [make_member(acme, f"member-{number}") for number in range(4)]
    waiting = list(members)
    begun = four_at_once(lambda: isinstance(make_impersonation(acme, waiting.pop(), staff, now=now), Impersonation))
    assert begun == {True: 1, "already_impersonating": 3}
    with staff_scope():
        row = Impersonation.objects.get()
    actor = staff_acting(staff, acme)
    ended = four_at_once(lambda: end_impersonation(impersonation_id=row.pk, actor=actor, now=now))
    assert ended == {True: 1, False: 3}
    for what in ("impersonation.started", "impersonation.ended"):
        assert len(leaves(acme, what)) == len(told(acme, what)) == 1
