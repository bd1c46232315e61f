"""GET /tenant."""

from datetime import datetime

from rest_framework.test import APIClient

from apps.core.models import ReadOnlySwitch
from apps.core.scope import staff_scope
from apps.tenants.models import Tenant
from tests.conftest import client_for
from tests.factories.tenants import make_api_key, make_tenant
from tests.tenants.api.calls import problem


def test_the_tenant_of_the_credentials(now: datetime, globex: Tenant) -> None:
    tenant = make_tenant("initech", now=now)
    response = client_for(make_api_key(tenant, "billing")).get("/api/v1/tenant")
    assert response.status_code == 200
    assert response["ETag"] == '"1"'
    assert response.json() == {
        "id": str(tenant.id),
        "slug": "initech",
        "name": "Initech",
        "status": "active",
        "plan": "standard",
        "require_mfa": False,
        "read_only": False,
        "version": 1,
        "created_at": "2026-03-02T12:00:00Z",
        "updated_at": "2026-03-02T12:00:00Z",
    }


def test_it_says_that_writing_is_switched_off(acme: Tenant, acme_admin: APIClient, now: datetime) -> None:
    with staff_scope():
        ReadOnlySwitch.objects.create(tenant_id=acme.id, reason="Year-end closing", engaged_at=now)
    assert acme_admin.get("/api/v1/tenant").json()["read_only"] is True
    body = {"name": "robot", "mode": "test", "scopes": ["tenant:read"]}
    refused = acme_admin.post("/api/v1/api-keys", body, format="json")
    assert problem(refused) == (503, "read_only", "Year-end closing")


def test_the_permission(acme: Tenant, anonymous: APIClient) -> None:
    client = client_for(make_api_key(acme, scopes=["accounts:read"]))
    assert problem(client.get("/api/v1/tenant"))[:2] == (403, "permission_denied")
    assert problem(anonymous.get("/api/v1/tenant"))[:2] == (401, "authentication_required")
