"""The Authorization header, on any endpoint."""

from datetime import timedelta

import pytest
from rest_framework.test import APIClient

from apps.core import clock
from apps.core.actor import system_actor
from apps.tenants.models import Tenant
from apps.tenants.services import suspend_tenant
from apps.users.services import start_session
from apps.users.tokens import sign_access_token
from apps.users.types import Origin
from tests.conftest import client_for
from tests.factories.tenants import make_api_key, make_member
from tests.tenants.api.calls import problem

ME = "/api/v1/me"


def header(value: str) -> APIClient:
    client = client_for()
    client.credentials(HTTP_AUTHORIZATION=value)
    return client


def test_without_the_header(anonymous: APIClient) -> None:
    response = anonymous.get(ME)
    assert problem(response) == (401, "authentication_required", "Authentication required")
    assert response["WWW-Authenticate"] == 'Bearer realm="finops"'


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic YTpi", "Token abc"])
def test_another_scheme_or_none(value: str) -> None:
    detail = "Send credentials as: Authorization: Bearer <API key or access token>."
    assert problem(header(value).get(ME)) == (401, "authentication_required", detail)


@pytest.mark.parametrize(
    ("credentials", "detail"),
    [
        ("fop_test_abc", "The API key is mistyped or incomplete."),
        ("fop_test_" + "A" * 43 + "1rzlBe", "The API key is not known."),
        ("fop_test_" + "é" * 49, "The API key is mistyped or incomplete."),
        ("abc", "The access token is not valid."),
        ("a.b.c", "The access token is not valid."),
        ("for_" + "A" * 43, "The access token is not valid."),
        ("Bearer fop_test_abc", "The access token is not valid."),
    ],
)
def test_credentials_that_are_none(credentials: str, detail: str) -> None:
    assert problem(header(f"Bearer {credentials}").get(ME)) == (401, "authentication_required", detail)


def test_the_scheme_is_case_insensitive(acme: Tenant) -> None:
    assert header(f"bearer {make_api_key(acme)}").get(ME).status_code == 200


def test_an_expired_key(acme: Tenant) -> None:
    now = clock.now()
    secret = make_api_key(acme, expires_at=now - timedelta(seconds=1), now=now - timedelta(days=1))
    assert problem(client_for(secret).get(ME)) == (401, "authentication_required", "The API key has expired.")


def test_an_expired_access_token(acme: Tenant) -> None:
    then = clock.now() - timedelta(minutes=10)
    ada = make_member(acme, "ada")
    session = start_session(user=ada, tenant_id=acme.id, origin=Origin(), now=then).session
    client = client_for(sign_access_token(session, now=then))
    assert problem(client.get(ME)) == (401, "authentication_required", "The access token has expired.")


def test_an_address_outside_of_the_keys_networks(acme: Tenant) -> None:
    client = client_for(make_api_key(acme, allowed_networks=["192.0.2.0/24"]))
    refused = (403, "address_not_allowed", "The address is not allowed")
    assert problem(client.get(ME, REMOTE_ADDR="198.51.100.1")) == refused
    assert client.get(ME, REMOTE_ADDR="192.0.2.9").status_code == 200
    # What a dual-stack socket calls the same peer.
    assert client.get(ME, REMOTE_ADDR="::ffff:192.0.2.9").status_code == 200
    # Anybody can write this header.
    forged = client.get(ME, REMOTE_ADDR="198.51.100.1", HTTP_X_FORWARDED_FOR="192.0.2.9")
    assert problem(forged) == refused


def test_a_suspended_tenant(acme: Tenant, acme_viewer: APIClient, globex_admin: APIClient) -> None:
    suspend_tenant(tenant_id=acme.id, actor=system_actor("tests"), now=clock.now())
    assert problem(acme_viewer.get(ME)) == (403, "tenant_suspended", "The tenant is suspended")
    assert globex_admin.get(ME).status_code == 200
