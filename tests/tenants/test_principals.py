"""From credentials to a principal: what is accepted, what is refused, and what it costs."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from apps.core.actor import Actor, system_actor
from apps.core.errors import AuthenticationRequired
from apps.core.scope import staff_scope, tenant_scope
from apps.tenants import selectors, services
from apps.tenants.enums import Plan, Role
from apps.tenants.errors import AddressNotAllowed, TenantSuspended
from apps.tenants.models import ApiKey, Tenant
from apps.tenants.secrets import new_secret
from apps.tenants.types import MembershipChoice, Principal, TenantIdentity
from apps.users.models import Session, User
from apps.users.services import start_session
from apps.users.tokens import sign_access_token
from apps.users.types import Origin
from tests.conftest import client_for
from tests.factories.tenants import make_api_key, make_member

SYSTEM = system_actor("tests")


def by_key(secret: str, now: datetime, ip: str = "192.0.2.7") -> Principal:
    return selectors.get_api_key_principal(secret, ip=ip, request_id="r-1", now=now)


def by_token(token: str, now: datetime) -> Principal:
    return selectors.get_token_principal(token, ip="192.0.2.7", request_id="r-1", now=now)


def last_use(tenant: Tenant) -> datetime | None:
    with tenant_scope(tenant.id):
        return ApiKey.objects.get().last_used_at


class TestApiKeys:
    def test_a_key_stands_for_its_tenant_and_scopes_in_one_query(
        self, acme: Tenant, now: datetime, django_assert_num_queries: Any
    ) -> None:
        secret = make_api_key(acme, scopes=["tenant:read", "events:read"], name="robot")
        with django_assert_num_queries(1):
            principal = by_key(secret, now)
        with tenant_scope(acme.id):
            key = ApiKey.objects.get()
        actor = Actor(
            kind="api_key", label="robot", tenant_id=acme.id, api_key_id=key.id, request_id="r-1", ip="192.0.2.7"
        )
        tenant = TenantIdentity(acme.id, "acme", "Acme")
        permissions = frozenset({"tenant:read", "events:read"})
        assert principal == Principal(
            actor=actor, permissions=permissions, only_paper=True, tenant=tenant, mode=principal.mode
        )
        assert principal.mode == "test"

    def test_a_mistyped_key_costs_no_query(self, now: datetime, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(0), pytest.raises(AuthenticationRequired, match="mistyped"):
            by_key("fop_test_" + "A" * 49, now)

    def test_an_unknown_key_is_refused(self, now: datetime) -> None:
        from apps.tenants.enums import ApiKeyMode

        with pytest.raises(AuthenticationRequired, match="not known"):
            by_key(new_secret(ApiKeyMode.LIVE), now)

    def test_the_last_use_is_written_at_most_once_a_minute(self, acme: Tenant, now: datetime) -> None:
        secret = make_api_key(acme)
        for seconds, seen in [(0, 0), (1, 0), (59, 0), (60, 60), (119, 60), (121, 121)]:
            by_key(secret, now + timedelta(seconds=seconds))
            assert last_use(acme) == now + timedelta(seconds=seen)

    def test_an_expired_key_is_refused(self, acme: Tenant, now: datetime) -> None:
        secret = make_api_key(acme, expires_at=now + timedelta(hours=1), now=now)
        by_key(secret, now + timedelta(minutes=59, seconds=59))
        with pytest.raises(AuthenticationRequired, match="expired"):
            by_key(secret, now + timedelta(hours=1))

    def test_a_revoked_key_is_refused_at_once(self, acme: Tenant, now: datetime) -> None:
        secret = make_api_key(acme)
        actor = by_key(secret, now).actor
        assert actor.api_key_id is not None
        services.revoke_api_key(api_key_id=actor.api_key_id, actor=actor, now=now)
        with pytest.raises(AuthenticationRequired, match="revoked"):
            by_key(secret, now + timedelta(minutes=5))
        assert last_use(acme) == now

    @pytest.mark.parametrize(
        ("ip", "allowed"),
        [
            ("192.0.2.1", True),
            ("192.0.2.255", True),
            ("192.0.3.1", False),
            ("2001:db8::5", True),
            ("2001:db9::5", False),
            ("", False),
        ],
    )
    def test_a_key_with_networks_works_from_these_alone(
        self, acme: Tenant, now: datetime, ip: str, allowed: bool
    ) -> None:
        secret = make_api_key(acme, allowed_networks=["192.0.2.0/24", "2001:db8::/32"])
        if allowed:
            assert by_key(secret, now, ip).actor.ip == ip
            return
        with pytest.raises(AddressNotAllowed):
            by_key(secret, now, ip)
        assert last_use(acme) is None

    def test_a_suspended_tenants_key_is_refused_until_it_is_reactivated(self, acme: Tenant, now: datetime) -> None:
        secret = make_api_key(acme)
        services.suspend_tenant(tenant_id=acme.id, actor=SYSTEM, now=now)
        with pytest.raises(TenantSuspended):
            by_key(secret, now)
        assert last_use(acme) is None
        services.reactivate_tenant(tenant_id=acme.id, actor=SYSTEM, now=now)
        assert by_key(secret, now).tenant.slug == "acme"


class TestAccessTokens:
    @pytest.fixture(autouse=True)
    def signed_in(self, acme: Tenant, now: datetime) -> None:
        self.acme = acme
        self.ada = make_member(acme, "ada", Role.TRADER)
        self.session = start_session(user=self.ada, tenant_id=acme.id, origin=Origin(), now=now).session
        self.token = sign_access_token(self.session, now=now)

    def test_a_token_stands_for_the_user_in_one_query(self, now: datetime, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(1):
            principal = by_token(self.token, now)
        assert principal == Principal(
            actor=Actor(
                kind="user", label="ada", tenant_id=self.acme.id, user_id=self.ada.id, request_id="r-1", ip="192.0.2.7"
            ),
            permissions=principal.permissions,
            tenant=TenantIdentity(self.acme.id, "acme", "Acme"),
            role=Role.TRADER,
            session_id=self.session.id,
            proved_at=now,
        )
        assert "transactions:write" in principal.permissions
        assert "api_keys:write" not in principal.permissions

    def test_it_dies_with_its_session_its_user_or_its_membership(self, now: datetime) -> None:
        changes: list[tuple[Any, dict[str, Any], dict[str, Any]]] = [
            (Session, {"revoked_at": now}, {"revoked_at": None}),
            (Session, {"expires_at": now}, {"expires_at": now + timedelta(days=1)}),
            (User, {"is_active": False}, {"is_active": True}),
            (Session, {"tenant_id": self.session.id}, {"tenant_id": self.acme.id}),
        ]
        for table, change, back in changes:
            table.objects.update(**change)
            with pytest.raises(AuthenticationRequired, match="The session has ended"):
                by_token(self.token, now)
            table.objects.update(**back)
            assert by_token(self.token, now).actor.user_id == self.ada.id

    def test_a_suspended_tenants_token_is_refused(self, now: datetime) -> None:
        services.suspend_tenant(tenant_id=self.acme.id, actor=SYSTEM, now=now)
        with pytest.raises(TenantSuspended):
            by_token(self.token, now)


def test_a_tenants_own_rates_come_with_its_principals_in_the_same_query(
    acme: Tenant, globex: Tenant, now: datetime, django_assert_num_queries: Any
) -> None:
    services.set_plan(
        tenant_id=acme.id,
        plan=Plan.STANDARD,
        overrides={},
        tenant_rate=(900, 1800),
        key_rate=(300, 600),
        reason="a deal",
        actor=SYSTEM,
        now=now,
    )
    secret, other = make_api_key(acme), make_api_key(globex)
    ada = make_member(acme, "ada", Role.TRADER)
    session = start_session(user=ada, tenant_id=acme.id, origin=Origin(), now=now).session
    token = sign_access_token(session, now=now)
    with django_assert_num_queries(3):
        assert by_key(secret, now).rates == {"tenant": [900, 1800], "key": [300, 600]}
        assert by_token(token, now).rates == {"tenant": [900, 1800]}
        assert by_key(other, now).rates == {}
    answer = client_for(secret).get("/api/v1/me")
    assert answer["RateLimit-Policy"] == '"key";q=600;w=2, "tenant";q=1800;w=2'


def test_a_user_sees_the_tenants_they_may_sign_in_to(acme: Tenant, globex: Tenant, now: datetime) -> None:
    ada = make_member(globex, "ada", Role.OWNER)
    make_member(acme, "ada", Role.VIEWER, user=ada)
    make_member(acme, "eve", Role.ADMIN)
    services.suspend_tenant(tenant_id=globex.id, actor=SYSTEM, now=now)
    assert selectors.memberships_of(ada.id) == [
        MembershipChoice(acme.id, "acme", False, Role.VIEWER),
        MembershipChoice(globex.id, "globex", True, Role.OWNER),
    ]


def test_a_tenant_knows_whether_it_is_read_only(acme: Tenant, globex: Tenant, now: datetime) -> None:
    from apps.core.models import ReadOnlySwitch

    def read_only(tenant: Tenant) -> bool:
        with tenant_scope(tenant.id):
            return bool(selectors.get_tenant().is_read_only)  # type: ignore[attr-defined]

    assert (read_only(acme), read_only(globex)) == (False, False)
    with staff_scope():
        switch = ReadOnlySwitch.objects.create(tenant_id=acme.id, reason="audit", engaged_at=now)
    assert (read_only(acme), read_only(globex)) == (True, False)
    with staff_scope():
        switch.delete()
        ReadOnlySwitch.objects.create(reason="maintenance", engaged_at=now)
    assert (read_only(acme), read_only(globex)) == (True, True)
