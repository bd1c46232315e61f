"""GET /usage, and what a limit refuses."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.core import clock
from apps.core.errors import DomainError, ValidationFailed, VersionConflict
from apps.core.scope import tenant_scope
from apps.orders.enums import OrderStatus
from apps.tenants.enums import Meter, Plan, Role
from apps.tenants.errors import LimitReached, StaffOnly
from apps.tenants.models import ApiKey, Tenant
from apps.tenants.plans import PLANS
from apps.tenants.services import invite, resend_invitation, set_plan
from tests.conftest import client_for
from tests.factories.accounts import make_account
from tests.factories.orders import make_desk, make_order
from tests.factories.providers import make_connection
from tests.factories.tenants import make_api_key, make_invitation, make_member, make_role
from tests.factories.webhooks import make_endpoint
from tests.tenants.api.calls import problem, signed_in
from tests.tenants.records import actions, emitted, leaves
from tests.tenants.test_services import SYSTEM, member_actor

USAGE = "/api/v1/usage"


def allow(tenant: Tenant, plan: Plan = Plan.STANDARD, **overrides: int) -> Tenant:
    own = {Meter(name): number for name, number in overrides.items()}
    return set_plan(tenant_id=tenant.id, plan=plan, overrides=own, reason="a deal", actor=SYSTEM, now=clock.now())


def used(client: APIClient) -> dict[str, int]:
    return {row["name"]: row["used"] for row in client.get(USAGE).json()["limits"]}


class TestUsage:
    def test_a_new_tenant_has_the_standard_plan(self, acme: Tenant, acme_viewer: APIClient) -> None:
        body = acme_viewer.get(USAGE).json()
        assert body["plan"] == acme_viewer.get("/api/v1/tenant").json()["plan"] == "standard"
        assert body["limits"][:2] == [
            {"name": "members", "used": 0, "limit": 500, "plan_limit": 500, "enforced": True},
            {"name": "api_keys", "used": 1, "limit": 1000, "plan_limit": 1000, "enforced": True},
        ]
        assert [row["name"] for row in body["limits"]] == Meter.values
        assert {row["name"] for row in body["limits"] if not row["enforced"]} == {
            "accounts",
            "orders_today",
        }

    def test_everything_of_this_tenant_is_counted_and_nothing_of_others(
        self, acme: Tenant, globex: Tenant, acme_admin: APIClient, globex_admin: APIClient
    ) -> None:
        make_member(acme, "ada", "viewer")
        make_invitation(acme, "neo@example.com")
        make_invitation(acme, "late@example.com", now=clock.now() - timedelta(days=8))
        make_api_key(acme, expires_at=clock.now() - timedelta(hours=1), now=clock.now() - timedelta(days=1))
        make_role(acme, "desk", ["orders:read"])
        make_account(acme, connection=make_connection(acme, "test_tkn_usage"))
        make_endpoint(acme, "https://93.184.215.14/hook")
        desk = make_desk(acme)
        make_order(desk, OrderStatus.FILLED)
        assert used(acme_admin) == {
            "members": 2,
            "api_keys": 1,
            "roles": 1,
            "connections": 2,
            "accounts": 2,
            "webhook_endpoints": 1,
            "orders_today": 1,
        }
        assert used(globex_admin) == {**dict.fromkeys(Meter.values, 0), "api_keys": 1}

    def test_a_tenants_own_limit_stands_beside_its_plans(self, acme: Tenant, acme_viewer: APIClient) -> None:
        allow(acme, Plan.ENTERPRISE, members=7)
        body = acme_viewer.get(USAGE).json()
        assert body["plan"] == "enterprise"
        assert [(row["limit"], row["plan_limit"]) for row in body["limits"]] == [(7, None)] + [(None, None)] * (
            len(Meter) - 1
        )

    def test_a_rolled_key_counts_once(self, acme: Tenant, acme_admin: APIClient) -> None:
        created = acme_admin.post("/api/v1/api-keys", {"name": "r", "mode": "test", "scopes": ["tenant:read"]}, "json")
        allow(acme, api_keys=2)
        address = f"/api/v1/api-keys/{created.json()['id']}"
        rolled = acme_admin.post(f"{address}/roll", {}, format="json")
        assert (rolled.status_code, used(acme_admin)["api_keys"]) == (201, 2)
        assert acme_admin.get(address).json()["replaced_by"] == rolled.json()["id"]
        assert problem(acme_admin.post(f"{address}/roll", {}, format="json"))[:2] == (409, "api_key_replaced")


class TestLimits:
    def test_one_more_api_key_is_refused(self, acme: Tenant, acme_admin: APIClient) -> None:
        allow(acme, api_keys=1)
        body = {"name": "r", "mode": "test", "scopes": ["tenant:read"]}
        refusal = problem(acme_admin.post("/api/v1/api-keys", body, format="json"))
        assert refusal == (409, "limit_reached", "Your plan's limit is reached: 1 API keys.")
        with tenant_scope(acme.id):
            assert ApiKey.objects.count() == 1
        assert actions(acme.id)[-1] == "tenant.plan_changed"

    def test_an_open_invitation_keeps_a_place(self, acme: Tenant, globex: Tenant) -> None:
        olga = make_member(acme, "olga", "owner")
        make_member(globex, "", "owner", user=olga)
        make_member(globex, "gus", "viewer")
        allow(acme, members=2)
        late, _token = make_invitation(acme, "late@example.com", now=clock.now() - timedelta(days=8))
        _open, token = make_invitation(acme, "neo@example.com")
        actor = SYSTEM.for_tenant(acme.id)
        for refused in (
            lambda: invite(email="eve@example.com", role=Role.VIEWER, actor=actor, now=clock.now()),
            lambda: resend_invitation(invitation_id=late.id, actor=actor, now=clock.now()),
        ):
            with pytest.raises(LimitReached):
                refused()
        client = signed_in("olga", tenant="acme")
        body = {"username": "gus", "role": "viewer"}
        assert problem(client.post("/api/v1/members", body, format="json"))[:2] == (409, "limit_reached")
        chosen = {"token": token, "username": "neo", "password": "there is no spoon"}
        assert client_for().post("/api/v1/invitations/accept", chosen, format="json").status_code == 201

    @pytest.mark.parametrize(
        ("meter", "path", "body"),
        [
            ("connections", "connections", {"provider": "teller", "credentials": {"access_token": "test_tkn_new"}}),
            ("webhook_endpoints", "webhooks/endpoints", {"url": "https://93.184.215.14/hook"}),
        ],
    )
    def test_what_other_rooms_add_is_refused_too(
        self, acme: Tenant, acme_admin: APIClient, meter: str, path: str, body: dict[str, Any]
    ) -> None:
        allow(acme, Plan.STANDARD, **{meter: 0})
        headers = {"Idempotency-Key": "k-1"}
        response = acme_admin.post(f"/api/v1/{path}", body, format="json", headers=headers)
        assert problem(response)[:2] == (409, "limit_reached")
        assert (used(acme_admin)[meter], actions(acme.id)[-1]) == (0, "tenant.plan_changed")
        allow(acme, Plan.STANDARD, **{meter: 1})
        headers = {"Idempotency-Key": "k-2"}
        assert acme_admin.post(f"/api/v1/{path}", body, format="json", headers=headers).status_code == 201

    def test_what_is_there_stays_under_a_lower_limit(self, acme: Tenant, acme_admin: APIClient) -> None:
        allow(acme, api_keys=0)
        assert acme_admin.get(USAGE).json()["limits"][1] == {
            "name": "api_keys",
            "used": 1,
            "limit": 0,
            "plan_limit": 1000,
            "enforced": True,
        }


class TestSetting:
    def test_it_is_told_once_with_its_reason(self, acme: Tenant) -> None:
        for _ in range(2):
            tenant = allow(acme, Plan.FREE, members=9)
        assert (tenant.plan, tenant.limit_overrides, tenant.version) == ("free", {"members": 9}, 2)
        changes = {"plan": ["standard", "free"], "limit_overrides": [{}, {"members": 9}], "reason": [None, "a deal"]}
        assert leaves(acme.id)[1:] == [("tenant.plan_changed", changes)]
        limits = {str(meter): limit for meter, limit in PLANS[Plan.FREE].items()} | {"members": 9}
        assert emitted(acme.id)[1:] == [("tenant.plan_changed", {"id": str(acme.id), "plan": "free", "limits": limits})]

    @pytest.mark.parametrize(
        ("values", "error"),
        [
            ({"reason": ""}, ValidationFailed),
            ({"overrides": {Meter.MEMBERS: -1}}, ValidationFailed),
            ({"overrides": {Meter.MEMBERS: 10**9 + 1}}, ValidationFailed),
            ({"expected_version": 2}, VersionConflict),
            ({"key_rate": (0, 10)}, ValidationFailed),
            ({"key_rate": (20, 10)}, ValidationFailed),
            ({"tenant_rate": (1, 100_001)}, ValidationFailed),
        ],
    )
    def test_a_refusal_changes_nothing(self, acme: Tenant, values: Mapping[str, Any], error: type[DomainError]) -> None:
        given = {"plan": Plan.FREE, "overrides": {}, "reason": "a deal", **values}
        with pytest.raises(error):
            set_plan(tenant_id=acme.id, actor=SYSTEM, now=clock.now(), **given)
        with tenant_scope(acme.id):
            assert (Tenant.objects.get().plan, actions(acme.id)) == ("standard", ["tenant.created"])

    def test_only_staff_sets_it(self, acme: Tenant) -> None:
        with pytest.raises(StaffOnly):
            set_plan(
                tenant_id=acme.id,
                plan=Plan.ENTERPRISE,
                overrides={},
                reason="mine",
                actor=member_actor(acme, Role.OWNER),
                now=clock.now(),
            )


@pytest.mark.no_database
def test_every_plan_says_something_of_every_meter() -> None:
    assert set(PLANS) == set(Plan)
    assert {frozenset(limits) for limits in PLANS.values()} == {frozenset(Meter)}
