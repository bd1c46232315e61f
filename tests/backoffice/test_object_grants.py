"""What members were granted for single objects, in the admin: told on the member's page, taken back with a reason."""

import pytest
from django.test import Client

from apps.accounts.models import ObjectGrant
from apps.core.scope import tenant_scope
from apps.tenants.models import Membership, Tenant
from apps.users.models import User
from tests.backoffice.test_pages import get
from tests.factories.accounts import make_account, make_grant
from tests.factories.tenants import make_member
from tests.tenants.api.calls import signed_in
from tests.tenants.records import emitted, leaves


@pytest.fixture
def nia(acme: Tenant) -> User:
    return make_member(acme, "nia", "billing")


@pytest.fixture
def grant(acme: Tenant, nia: User) -> ObjectGrant:
    return make_grant(acme, nia, "accounts:read", make_account(acme, name="Payroll account"))


def member_page(tenant: Tenant, user: User) -> str:
    with tenant_scope(tenant.id):
        return f"/admin/tenants/membership/{Membership.objects.get(user_id=user.id).id}/change/"


def test_the_members_page_tells_what_for_and_who_granted_it(staff_client: Client, acme, nia, grant) -> None:
    page = get(staff_client, member_page(acme, nia))
    for told in ("Granted for single objects", "accounts:read", "Payroll account", grant.granted_by):
        assert told in page, told
    assert f"/admin/accounts/objectgrant/{grant.id}/change/" in page
    nobody = get(staff_client, member_page(acme, make_member(acme, "tess", "trader")))
    assert "None: they have what their role gives, for all of the tenant." in nobody


def test_staff_take_it_back_with_a_reason_and_it_counts_at_once(staff_client: Client, acme, nia, grant) -> None:
    client = signed_in("nia")
    assert client.get("/api/v1/accounts").status_code == 200
    url = f"/admin/accounts/objectgrant/{grant.id}/do/revoke/"
    without = staff_client.post(url, {"confirmed": "1", "reason": ""})
    assert "Say why" in without.content.decode()
    assert client.get("/api/v1/accounts").status_code == 200
    staff_client.post(url, {"confirmed": "1", "reason": "They have left the desk"})
    assert client.get("/api/v1/accounts").status_code == 403
    action, changes = leaves(acme.id)[-1]
    assert (action, changes["reason"]) == ("grant.revoked", [None, "They have left the desk"])
    assert emitted(acme.id)[-1][0] == "grant.revoked"
