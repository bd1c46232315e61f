"""A tenant's plan and limits are set through the service; what it refuses stands on the form."""

from apps.tenants.models import Tenant
from tests.backoffice.test_actions import leaves, read, told
from tests.backoffice.test_pages import get
from tests.backoffice.world import World


def form(tenant: Tenant, **values: str) -> dict[str, str]:
    return {"plan": "standard", "members": "80", "reason": "a new office", "version": str(tenant.version), **values}


def url_of(tenant: Tenant) -> str:
    return f"/admin/tenants/tenant/{tenant.pk}/do/plan/"


def test_limits_are_set_and_seen_beside_what_is_used(staff_client, world: World):
    tenant = world.acme.tenant
    shown = staff_client.post(url_of(tenant)).content.decode()
    assert '<option value="standard" selected>' in shown
    response = staff_client.post(url_of(tenant), form(tenant, key_rate="300/600", tenant_rate="900/900/20"))
    assert told(staff_client, response) == ["The plan is set. What is added next is held to it."]
    stored = read(Tenant, tenant)
    assert (stored.limit_overrides, stored.key_rate, stored.tenant_rate) == (
        {"members": 80},
        [300, 600],
        [900, 900, 20],
    )
    assert 'value="300/600"' in staff_client.post(url_of(tenant)).content.decode()
    (leaf,) = leaves(tenant, "tenant.plan_changed")
    assert (leaf.actor["label"], leaf.changes["reason"]) == ("staff", [None, "a new office"])
    page = get(staff_client, f"/admin/tenants/tenant/{tenant.pk}/change/")
    assert "members and open invitations" in page
    assert ">80<" in page


def test_without_a_reason_or_with_an_old_version_nothing_changes(staff_client, world: World):
    tenant = world.acme.tenant
    for values, said in (
        ({"reason": ""}, "Say why: the audit log keeps it."),
        ({"members": "-1"}, "greater than or equal to 0"),
        ({"key_rate": "20/10"}, "At least 1 a second"),
        ({"key_rate": "10/20/0"}, "in flight as well"),
        ({"tenant_rate": "many"}, "Enter a valid value"),
        ({"version": "7"}, "The resource has changed"),
    ):
        response = staff_client.post(url_of(tenant), form(tenant, **values))
        assert (response.status_code, said in response.content.decode()) == (200, True)
    assert (read(Tenant, tenant).limit_overrides, leaves(tenant, "tenant.plan_changed")) == ({}, [])


def test_staff_who_may_only_view_set_nothing(viewing_client, world: World):
    tenant = world.acme.tenant
    assert viewing_client.post(url_of(tenant), form(tenant)).status_code == 403
    assert read(Tenant, tenant).limit_overrides == {}
