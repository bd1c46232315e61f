"""GET, DELETE /auth/sessions and DELETE /auth/sessions/{id}."""

from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from apps.tenants.models import Tenant
from apps.users.models import Session, User
from tests.conftest import client_for
from tests.factories.tenants import make_member
from tests.tenants.api.calls import problem, sign_in, signed_in
from tests.tenants.records import leaves

SESSIONS = "/api/v1/auth/sessions"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def ada(acme: Tenant) -> User:
    return make_member(acme, "ada", "billing")


def test_a_user_sees_the_live_sessions_of_this_tenant_newest_first(ada: User, acme: Tenant, globex: Tenant) -> None:
    make_member(globex, "ada", "owner", user=ada)
    make_member(acme, "eve", "admin")
    sign_in("eve")
    sign_in("ada", tenant="globex")
    first = client_for().post(
        "/api/v1/auth/token",
        {"username": "ada", "password": "correct horse battery", "tenant": "acme"},
        format="json",
        HTTP_USER_AGENT=FIREFOX,
        REMOTE_ADDR="192.0.2.7",
    )
    second = signed_in("ada", tenant="acme")
    gone = sign_in("ada", tenant="acme").json()["refresh"]
    client_for().post("/api/v1/auth/token/revoke", {"refresh": gone}, format="json")

    body = second.get(SESSIONS).json()
    assert body["next_cursor"] is None
    newest, oldest = body["data"]
    assert set(oldest) == {
        *("id", "created_at", "last_used_at", "expires_at", "idle_until"),
        *("ip", "device", "user_agent", "current"),
    }
    assert (newest["current"], oldest["current"]) == (True, False)
    assert (oldest["ip"], oldest["user_agent"]) == ("192.0.2.7", FIREFOX)
    assert oldest["device"] == "Firefox on Linux"
    assert oldest["idle_until"] < oldest["expires_at"]
    assert client_for(first.json()["access"]).get(SESSIONS).json()["data"][1]["current"] is True


def test_pages(ada: User) -> None:
    for _ in range(2):
        sign_in("ada")
    client = signed_in("ada")
    page = client.get(SESSIONS, {"limit": 2}).json()
    rest = client.get(SESSIONS, {"limit": 2, "cursor": page["next_cursor"]}).json()
    assert (len(page["data"]), len(rest["data"]), rest["next_cursor"]) == (2, 1, None)


def test_the_list_costs_two_queries(ada: User, django_assert_num_queries) -> None:
    client = signed_in("ada")
    with django_assert_num_queries(2):
        client.get(SESSIONS)


def test_a_session_is_signed_out_at_once(ada: User, acme: Tenant) -> None:
    lost, mine = signed_in("ada"), signed_in("ada")
    (lost_id,) = [session["id"] for session in mine.get(SESSIONS).json()["data"] if not session["current"]]
    response = mine.delete(f"{SESSIONS}/{lost_id}")
    assert (response.status_code, response.content) == (204, b"")
    assert problem(lost.get("/api/v1/me"))[:2] == (401, "authentication_required")
    assert mine.get("/api/v1/me").status_code == 200
    assert leaves(acme.id)[-1] == ("session.revoked", {"reason": [None, "signed_out"]})
    assert problem(mine.delete(f"{SESSIONS}/{lost_id}"))[:2] == (404, "not_found")


def test_other_peoples_sessions_are_not_there(ada: User, acme: Tenant, globex: Tenant) -> None:
    make_member(acme, "eve", "owner")
    make_member(globex, "ada", "owner", user=ada)
    for username, tenant in [("eve", "acme"), ("ada", "globex")]:
        sign_in(username, tenant=tenant)
    foreign = [str(session.id) for session in Session.objects.all()]
    client = signed_in("ada", tenant="acme")
    for session_id in [*foreign, str(uuid4())]:
        assert problem(client.delete(f"{SESSIONS}/{session_id}"))[:2] == (404, "not_found")
    assert Session.objects.filter(revoked_at__isnull=False).count() == 0


def test_an_api_key_has_no_sessions(acme_admin: APIClient, anonymous: APIClient) -> None:
    assert problem(acme_admin.get(SESSIONS))[:2] == (403, "permission_denied")
    assert problem(acme_admin.delete(f"{SESSIONS}/{uuid4()}"))[:2] == (403, "permission_denied")
    assert problem(anonymous.get(SESSIONS))[:2] == (401, "authentication_required")


def test_all_others_are_signed_out_in_one_go(ada: User, acme: Tenant, globex: Tenant) -> None:
    make_member(globex, "ada", "viewer", user=ada)
    mine, lost, elsewhere = (signed_in("ada", tenant=slug) for slug in ("acme", "acme", "globex"))
    eve = make_member(acme, "eve", "admin")
    others = signed_in(eve.username)
    answer = mine.delete(SESSIONS)
    assert (answer.status_code, answer.content) == (204, b"")
    assert [client.get("/api/v1/me").status_code for client in (mine, lost, elsewhere, others)] == [200, 401, 401, 200]
    for tenant in (acme, globex):
        assert ("session.revoked", {"reason": [None, "signed_out"]}) in leaves(tenant.id)
