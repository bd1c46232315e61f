"""Tenants, members and API keys: what the services change, tell and refuse."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from apps.core.actor import Actor, system_actor
from apps.core.errors import DomainError, NotFound, PermissionMissing, ReadOnly, ValidationFailed
from apps.core.models import ReadOnlySwitch
from apps.core.scope import staff_scope, tenant_scope
from apps.core.tokens import hash_token
from apps.tenants.enums import ApiKeyMode, Role
from apps.tenants.errors import (
    AlreadyAMember,
    ApiKeyExceedsCreator,
    ExpiryInThePast,
    InvalidNetwork,
    OwnRole,
    SlugTaken,
    StaffOnly,
    UnknownScope,
)
from apps.tenants.models import ApiKey, Membership, Tenant
from apps.tenants.services import (
    NewApiKey,
    add_member,
    change_role,
    create_api_key,
    create_tenant,
    invite,
    reactivate_tenant,
    revoke_api_key,
    suspend_tenant,
)
from tests.factories.tenants import make_member, make_tenant
from tests.factories.users import make_user
from tests.tenants.records import actions, emitted, leaves

SYSTEM = system_actor("tests")


@pytest.fixture
def initech(now: datetime) -> Tenant:
    return make_tenant("initech", now=now)


def member_actor(tenant: Tenant, role: Role) -> Actor:
    user = make_member(tenant, f"{tenant.slug}-{role}", role)
    return Actor(kind="user", label=user.username, tenant_id=tenant.id, user_id=user.id)


def create_key(actor: Actor, now: datetime, **values: object) -> NewApiKey:
    wanted = {"name": "robot", "mode": ApiKeyMode.TEST, "scopes": ["tenant:read"], **values}
    return create_api_key(**wanted, actor=actor, now=now)  # type: ignore[arg-type]


def keys_of(tenant: Tenant) -> list[ApiKey]:
    with tenant_scope(tenant.id):
        return list(ApiKey.objects.order_by("id"))


class TestTenants:
    def test_a_tenant_begins_its_own_log_and_events(self, initech: Tenant, now: datetime) -> None:
        with tenant_scope(initech.id):
            stored = Tenant.objects.get()
        assert (stored.slug, stored.name, stored.status, stored.version) == ("initech", "Initech", "active", 1)
        assert (stored.created_at, stored.updated_at) == (now, now)
        changes = {"status": [None, "active"], "slug": [None, "initech"], "name": [None, "Initech"]}
        assert leaves(initech.id) == [("tenant.created", changes)]
        data = {"id": str(initech.id), "slug": "initech", "name": "Initech", "status": "active"}
        assert emitted(initech.id) == [("tenant.created", data)]

    def test_a_slug_is_taken_once(self, initech: Tenant, now: datetime) -> None:
        with pytest.raises(SlugTaken):
            create_tenant(slug="initech", name="Other", actor=SYSTEM, now=now)
        with staff_scope():
            assert Tenant.objects.count() == 1

    @pytest.mark.parametrize(
        "slug", ["", "Upper", "a_b", "-a", "a--b", "a" * 33, "01990000-0000-7000-8000-000000000001"]
    )
    def test_a_malformed_slug_is_refused(self, slug: str, now: datetime) -> None:
        with pytest.raises(ValidationFailed):
            create_tenant(slug=slug, name="Other", actor=SYSTEM, now=now)

    @pytest.mark.parametrize("kind", ["user", "api_key"])
    def test_members_and_keys_neither_create_nor_suspend(self, kind: str, initech: Tenant, now: datetime) -> None:
        actor = Actor(kind=kind, label="x", tenant_id=initech.id)  # type: ignore[arg-type]
        for call in (suspend_tenant, reactivate_tenant):
            with pytest.raises(StaffOnly):
                call(tenant_id=initech.id, actor=actor, now=now)
        with pytest.raises(StaffOnly):
            create_tenant(slug="other", name="Other", actor=actor, now=now)
        assert actions(initech.id) == ["tenant.created"]

    def test_suspending_and_reactivating_tell_each_once(self, initech: Tenant, now: datetime) -> None:
        staff = Actor(kind="staff", label="sam")
        for call in (suspend_tenant, suspend_tenant, reactivate_tenant, reactivate_tenant):
            tenant = call(tenant_id=initech.id, actor=staff, now=now)
        assert (tenant.status, tenant.version) == ("active", 3)
        assert leaves(initech.id)[1:] == [
            ("tenant.suspended", {"status": ["active", "suspended"]}),
            ("tenant.reactivated", {"status": ["suspended", "active"]}),
        ]
        assert [type for type, _data in emitted(initech.id)[1:]] == ["tenant.suspended", "tenant.reactivated"]

    def test_nothing_is_created_while_the_installation_is_read_only(self, now: datetime) -> None:
        with staff_scope():
            ReadOnlySwitch.objects.create(reason="maintenance", engaged_at=now)
        with pytest.raises(ReadOnly, match="maintenance"):
            create_tenant(slug="other", name="Other", actor=SYSTEM, now=now)


class TestMembers:
    def test_a_member_is_frozen_by_name_and_told_of(self, initech: Tenant, now: datetime) -> None:
        user = make_user("ada-lovelace")
        membership = add_member(user=user, role=Role.TRADER, actor=SYSTEM.for_tenant(initech.id), now=now)
        with tenant_scope(initech.id):
            stored = Membership.objects.get()
        assert (stored.user_id, stored.role) == (user.id, "trader")
        assert (stored.name, stored.email) == ("Ada Lovelace", "ada-lovelace@example.com")
        changes = {"user_id": [None, str(user.id)], "role": [None, "trader"]}
        assert leaves(initech.id)[1:] == [("member.added", changes)]
        data = {"id": str(membership.id), "user_id": str(user.id), "role": "trader"}
        assert emitted(initech.id)[1:] == [("member.added", data)]

    def test_a_user_is_a_member_once_in_a_tenant(self, initech: Tenant, acme: Tenant, now: datetime) -> None:
        user = make_member(initech, "ada", "viewer")
        with pytest.raises(AlreadyAMember):
            add_member(user=user, role=Role.OWNER, actor=SYSTEM.for_tenant(initech.id), now=now)
        assert actions(initech.id) == ["tenant.created", "member.added"]
        add_member(user=user, role=Role.OWNER, actor=SYSTEM.for_tenant(acme.id), now=now)

    @pytest.mark.parametrize("role", [Role.OWNER, Role.BILLING])
    def test_staff_who_are_members_change_no_role_of_their_own(
        self, role: Role, initech: Tenant, now: datetime
    ) -> None:
        """Nor could they place orders then, which nobody of the staff may."""
        user = make_member(initech, "sam", Role.VIEWER)
        actor = Actor(kind="staff", label="sam", tenant_id=initech.id, user_id=user.id)
        with tenant_scope(initech.id):
            member_id = Membership.objects.get(user_id=user.id).id
        with pytest.raises(OwnRole):
            change_role(member_id=member_id, role=role, actor=actor, now=now)
        with tenant_scope(initech.id):
            assert Membership.objects.get(id=member_id).role == Role.VIEWER
        assert actions(initech.id)[-1] == "member.added"


class TestApiKeys:
    def test_a_key_is_stored_as_a_hash_and_told_of_without_it(self, initech: Tenant, now: datetime) -> None:
        actor = member_actor(initech, Role.ADMIN)
        created = create_key(
            actor,
            now,
            scopes=["tenant:read", "accounts:read", "tenant:read"],
            allowed_networks=["192.0.2.0/24", "2001:db8::1"],
            expires_at=now + timedelta(days=1),
        )
        (stored,) = keys_of(initech)
        assert bytes(stored.secret_hash) == hash_token(created.secret)
        assert (stored.name, stored.mode, stored.prefix) == ("robot", "test", created.secret[:15])
        assert stored.scopes == ["accounts:read", "tenant:read"]
        assert stored.allowed_networks == ["192.0.2.0/24", "2001:db8::1/128"]
        assert (stored.expires_at, stored.last_used_at, stored.revoked_at) == (now + timedelta(days=1), None, None)
        assert stored.created_by == "initech-admin"
        event, data = emitted(initech.id)[-1]
        assert (event, data) == (
            "api_key.created",
            {
                "id": str(stored.id),
                "name": "robot",
                "mode": "test",
                "scopes": ["accounts:read", "tenant:read"],
                "allowed_networks": ["192.0.2.0/24", "2001:db8::1/128"],
                "expires_at": "2026-03-03T12:00:00Z",
                "revoked_at": None,
                "replaced_by": None,
            },
        )
        action, changes = leaves(initech.id)[-1]
        assert (action, changes) == (
            "api_key.created",
            {
                "name": [None, "robot"],
                "mode": [None, "test"],
                "scopes": [None, ["accounts:read", "tenant:read"]],
                "allowed_networks": [None, ["192.0.2.0/24", "2001:db8::1/128"]],
                "expires_at": [None, "2026-03-03T12:00:00Z"],
            },
        )

    @pytest.mark.parametrize(
        ("values", "error"),
        [
            ({"scopes": ["tenant:read", "tenant:own"]}, UnknownScope),
            ({"allowed_networks": ["192.0.2.1/24"]}, InvalidNetwork),
            ({"allowed_networks": ["everywhere"]}, InvalidNetwork),
            ({"expires_at": datetime.fromisoformat("2026-03-02T12:00:00Z")}, ExpiryInThePast),
            ({"scopes": ["audit:read"]}, ApiKeyExceedsCreator),
        ],
    )
    def test_a_refused_key_leaves_nothing(
        self, initech: Tenant, now: datetime, values: dict[str, object], error: type[DomainError]
    ) -> None:
        actor = member_actor(initech, Role.VIEWER)
        before = actions(initech.id)
        with pytest.raises(error):
            create_key(actor, now, **values)
        assert keys_of(initech) == []
        assert actions(initech.id) == before
        assert len(emitted(initech.id)) == 2

    @pytest.mark.parametrize(
        ("values", "allowed"),
        [
            ({}, True),
            ({"allowed_networks": ["192.0.2.0/25"]}, True),
            ({"mode": ApiKeyMode.LIVE}, False),
            ({"expires_at": None}, False),
            ({"expires_at": datetime.fromisoformat("2026-03-04T12:00:00Z")}, False),
            ({"allowed_networks": []}, False),
            ({"allowed_networks": ["192.0.0.0/16"]}, False),
            ({"allowed_networks": ["192.0.2.7", "2001:db8::/32"]}, False),
            ({"scopes": ["tenant:read", "events:read"]}, False),
        ],
    )
    def test_a_key_passes_its_limits_on(
        self, initech: Tenant, now: datetime, values: dict[str, object], allowed: bool
    ) -> None:
        limits = {"allowed_networks": ["192.0.2.0/24"], "expires_at": now + timedelta(days=1)}
        parent = create_key(SYSTEM.for_tenant(initech.id), now, **limits).key
        actor = Actor(kind="api_key", label="parent", tenant_id=initech.id, api_key_id=parent.id)
        if allowed:
            assert create_key(actor, now, **{**limits, **values}).key.created_by == "parent"
            return
        with pytest.raises(ApiKeyExceedsCreator):
            create_key(actor, now, **{**limits, **values})
        assert keys_of(initech) == [parent]

    def test_a_key_that_was_revoked_meanwhile_makes_no_other(self, initech: Tenant, now: datetime) -> None:
        """Its request was let in just before."""
        by = create_key(SYSTEM.for_tenant(initech.id), now, scopes=["api_keys:write", "members:write"]).key
        actor = Actor(kind="api_key", label=by.name, tenant_id=initech.id, api_key_id=by.id)
        revoke_api_key(api_key_id=by.id, actor=SYSTEM.for_tenant(initech.id), now=now)
        with pytest.raises(PermissionMissing):
            create_key(actor, now, scopes=["api_keys:write"])
        with pytest.raises(PermissionMissing):
            invite(email="eve@example.com", role=Role.BILLING, actor=actor, now=now)
        assert [key.id for key in keys_of(initech)] == [by.id]
        assert actions(initech.id)[-1] == "api_key.revoked"

    def test_revoking_is_told_once(self, initech: Tenant, now: datetime) -> None:
        actor = member_actor(initech, Role.ADMIN)
        key = create_key(actor, now).key
        later = now + timedelta(minutes=1)
        for moment in (later, later + timedelta(minutes=1)):
            assert revoke_api_key(api_key_id=key.id, actor=actor, now=moment).revoked_at == later
        (stored,) = keys_of(initech)
        assert (stored.revoked_at, stored.version) == (later, 2)
        assert actions(initech.id)[-2:] == ["api_key.created", "api_key.revoked"]
        event, data = emitted(initech.id)[-1]
        assert (event, data["revoked_at"]) == ("api_key.revoked", "2026-03-02T12:01:00Z")

    @pytest.mark.parametrize("which", ["unknown", "foreign"])
    def test_another_tenants_key_is_not_there(self, which: str, initech: Tenant, acme: Tenant, now: datetime) -> None:
        foreign = create_key(SYSTEM.for_tenant(acme.id), now).key
        key_id: UUID = foreign.id if which == "foreign" else uuid4()
        with pytest.raises(NotFound):
            revoke_api_key(api_key_id=key_id, actor=SYSTEM.for_tenant(initech.id), now=now)
        assert keys_of(acme)[0].revoked_at is None
