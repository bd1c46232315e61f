"""GET /me."""

from rest_framework.test import APIClient

from apps.core.scope import tenant_scope
from apps.tenants.models import ApiKey, Tenant
from tests.conftest import client_for
from tests.factories.tenants import make_api_key, make_member
from tests.tenants.api.calls import problem, signed_in

VIEWER = [
    "accounts:read",
    "connections:read",
    "events:read",
    "market:read",
    "orders:read",
    "positions:read",
    "providers:read",
    "risk:read",
    "tenant:read",
    "transactions:read",
]


def test_an_api_key(acme: Tenant, django_assert_num_queries) -> None:
    client = client_for(make_api_key(acme, scopes=["tenant:read", "accounts:read"], name="robot"))
    with django_assert_num_queries(1):
        response = client.get("/api/v1/me")
    with tenant_scope(acme.id):
        key = ApiKey.objects.get()
    assert response.json() == {
        "principal": {"type": "api_key", "id": str(key.id), "name": "robot"},
        "tenant": {"id": str(acme.id), "slug": "acme", "name": "Acme"},
        "role": None,
        "mode": "test",
        "permissions": ["accounts:read", "tenant:read"],
        "grants": [],
    }


def test_a_user(acme: Tenant, django_assert_num_queries) -> None:
    ada = make_member(acme, "ada", "viewer")
    client = signed_in("ada")
    with django_assert_num_queries(1):
        response = client.get("/api/v1/me")
    assert response.json() == {
        "principal": {"type": "user", "id": str(ada.id), "name": "ada"},
        "tenant": {"id": str(acme.id), "slug": "acme", "name": "Acme"},
        "role": "viewer",
        "mode": None,
        "permissions": VIEWER,
        "grants": [],
    }


def test_no_cache_on_the_way_keeps_an_answer(acme_admin: APIClient, anonymous: APIClient) -> None:
    for client in (acme_admin, anonymous):
        assert client.get("/api/v1/me")["Cache-Control"] == "no-store"


def test_nobody(anonymous: APIClient) -> None:
    assert problem(anonymous.get("/api/v1/me"))[:2] == (401, "authentication_required")
