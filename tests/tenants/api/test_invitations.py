"""GET and POST /invitations, their resending and revoking."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from apps.core import clock
from apps.core.scope import tenant_scope
from apps.core.tokens import hash_token
from apps.jobs.models import Job
from apps.tenants.models import Invitation, Tenant
from apps.tenants.selectors import find_invitation
from apps.tenants.services.invitations import open_token
from tests.conftest import client_for
from tests.factories.tenants import make_api_key, make_invitation, make_member
from tests.tenants.api.calls import field_errors, problem, signed_in
from tests.tenants.records import actions, emitted, leaves

INVITATIONS = "/api/v1/invitations"
FIELDS = {
    "id",
    "email",
    "role",
    "status",
    "invited_by",
    "expires_at",
    "sent_at",
    "version",
    "created_at",
    "updated_at",
}


def invite(client: APIClient, email: str = "neo@example.com", role: str = "trader") -> Any:
    return client.post(INVITATIONS, {"email": email, "role": role}, format="json")


def stored(tenant: Tenant) -> Invitation:
    with tenant_scope(tenant.id):
        return Invitation.objects.get()


def letters(tenant: Tenant) -> list[Any]:
    with tenant_scope(tenant.id):
        return [job.payload for job in Job.objects.filter(kind="invitation.send").order_by("id")]


class TestInvite:
    def test_it_holds_for_seven_days_and_shows_no_token(self, acme: Tenant, acme_admin: APIClient) -> None:
        before = clock.now()
        response = invite(acme_admin)
        body, invitation = response.json(), stored(acme)
        assert (response.status_code, set(body), response["ETag"]) == (201, FIELDS, '"1"')
        assert (body["email"], body["role"], body["status"]) == ("neo@example.com", "trader", "pending")
        assert (body["invited_by"], body["sent_at"], body["version"]) == ("acme admin", None, 1)
        assert before <= invitation.expires_at - timedelta(days=7) <= clock.now()
        token = open_token(invitation)
        assert bytes(invitation.token_hash) == hash_token(token)
        everywhere = [body, acme_admin.get(INVITATIONS).json(), leaves(acme.id), emitted(acme.id), letters(acme)]
        assert token not in str(everywhere)
        assert token.encode() not in bytes(invitation.sealed_token or b"")

    def test_the_letter_is_a_job_of_the_same_transaction(self, acme: Tenant, acme_admin: APIClient) -> None:
        invited = invite(acme_admin).json()
        assert letters(acme) == [{"invitation_id": invited["id"], "version": 1}]

    def test_leaf_and_event_do_not_hold_the_address(self, acme: Tenant, acme_admin: APIClient) -> None:
        body = invite(acme_admin).json()
        changes = {"role": [None, "trader"], "expires_at": [None, body["expires_at"]]}
        assert leaves(acme.id)[-1] == ("invitation.created", changes)
        data = {"id": body["id"], "role": "trader", "expires_at": body["expires_at"]}
        assert emitted(acme.id)[-1] == ("invitation.created", data)

    def test_an_address_is_invited_once_at_a_time(self, acme: Tenant, globex: Tenant, acme_admin: APIClient) -> None:
        first = invite(acme_admin).json()
        assert problem(invite(acme_admin, "NEO@example.com"))[:2] == (409, "already_invited")
        make_invitation(globex, "neo@example.com")
        assert len(letters(acme)) == 1
        acme_admin.delete(f"{INVITATIONS}/{first['id']}")
        assert invite(acme_admin).status_code == 201

    def test_a_members_address_is_not_invited(self, acme: Tenant, acme_admin: APIClient) -> None:
        make_member(acme, "vic", "viewer")
        assert problem(invite(acme_admin, "Vic@example.com"))[:2] == (409, "already_a_member")
        assert letters(acme) == []

    def test_nobody_invites_to_more_than_they_have(self, acme: Tenant, acme_admin: APIClient) -> None:
        assert problem(invite(acme_admin, role="owner"))[:2] == (403, "owners_only")
        limited = client_for(make_api_key(acme, scopes=["members:write", "tenant:read"]))
        assert problem(invite(limited))[:2] == (403, "role_exceeds_granter")
        assert problem(invite(client_for(make_api_key(acme, "trader"))))[:2] == (403, "permission_denied")
        assert letters(acme) == []
        make_member(acme, "olga", "owner")
        assert invite(signed_in("olga"), role="owner").status_code == 201

    @pytest.mark.parametrize(
        "email", ["", "neo", "neo@", "a@b@c", "neo@example.com\nBcc: all@example.com", "neo@example.com, x@example.com"]
    )
    def test_an_address_is_one(self, acme: Tenant, acme_admin: APIClient, email: str) -> None:
        response = invite(acme_admin, email)
        assert (problem(response)[:2], field_errors(response)[0][0]) == ((400, "validation_failed"), "email")
        assert letters(acme) == []


class TestResend:
    def test_the_token_is_another_and_lasts_seven_days_more(self, acme: Tenant, acme_admin: APIClient) -> None:
        long_ago = clock.now() - timedelta(days=8)
        invitation, old = make_invitation(acme, "neo@example.com", now=long_ago)
        (listed,) = acme_admin.get(INVITATIONS).json()["data"]
        assert listed["status"] == "expired"
        response = acme_admin.post(f"{INVITATIONS}/{invitation.id}/resend", headers={"If-Match": '"1"'})
        body = response.json()
        assert (response.status_code, body["status"], body["version"], response["ETag"]) == (200, "pending", 2, '"2"')
        new = open_token(stored(acme))
        assert find_invitation(old, now=long_ago) is None
        found = find_invitation(new, now=clock.now() + timedelta(days=6, hours=23))
        assert found is not None
        assert (found.id, found.email, found.tenant.slug) == (invitation.id, "neo@example.com", "acme")
        assert letters(acme) == [{"invitation_id": str(invitation.id), "version": version} for version in (1, 2)]
        assert actions(acme.id)[-1] == emitted(acme.id)[-1][0] == "invitation.resent"

    def test_a_stale_version_sends_nothing(self, acme: Tenant, acme_admin: APIClient) -> None:
        invitation, token = make_invitation(acme, "neo@example.com")
        address = f"{INVITATIONS}/{invitation.id}/resend"
        assert problem(acme_admin.post(address, headers={"If-Match": '"7"'}))[:2] == (412, "version_conflict")
        assert find_invitation(token, now=clock.now()) is not None
        assert len(letters(acme)) == 1

    def test_who_may_not_grant_the_role_does_not_resend_it(self, acme: Tenant, acme_admin: APIClient) -> None:
        invitation, _token = make_invitation(acme, "neo@example.com", "owner")
        response = acme_admin.post(f"{INVITATIONS}/{invitation.id}/resend")
        assert problem(response)[:2] == (403, "owners_only")
        assert len(letters(acme)) == 1


def test_a_tenant_sends_two_hundred_letters_a_day(acme: Tenant, globex: Tenant, acme_admin: APIClient) -> None:
    invitation, _token = make_invitation(acme, "neo@example.com")
    with tenant_scope(acme.id):
        Invitation.objects.update(letters=199)
    address = f"{INVITATIONS}/{invitation.id}/resend"
    assert acme_admin.post(address).status_code == 200
    for response in (acme_admin.post(address), invite(acme_admin, "trinity@example.com")):
        assert problem(response) == (429, "rate_limited", "At most 200 letters a day.")
        assert response["Retry-After"] == "86400"
    assert (stored(acme).letters, stored(acme).version, len(letters(acme))) == (200, 2, 2)
    make_invitation(globex, "neo@example.com")
    with tenant_scope(acme.id):
        Invitation.objects.update(updated_at=clock.now() - timedelta(days=1))
    assert acme_admin.post(address).status_code == 200


class TestRevoke:
    def test_the_token_is_void_at_once_and_the_invitation_stays_listed(
        self, acme: Tenant, acme_admin: APIClient
    ) -> None:
        invitation, token = make_invitation(acme, "neo@example.com")
        for _ in range(2):
            assert acme_admin.delete(f"{INVITATIONS}/{invitation.id}").status_code == 204
        assert find_invitation(token, now=clock.now()) is None
        one = acme_admin.get(f"{INVITATIONS}/{invitation.id}").json()
        assert (one["status"], one["version"]) == ("revoked", 2)
        assert stored(acme).sealed_token is None
        assert actions(acme.id)[-2:] == ["invitation.created", "invitation.revoked"]
        again = acme_admin.post(f"{INVITATIONS}/{invitation.id}/resend")
        assert problem(again)[:2] == (409, "invitation_closed")


def test_another_tenants_invitation_is_not_there(acme: Tenant, globex_admin: APIClient) -> None:
    invitation, token = make_invitation(acme, "neo@example.com")
    for key in (invitation.id, uuid4()):
        assert problem(globex_admin.get(f"{INVITATIONS}/{key}"))[:2] == (404, "not_found")
        assert problem(globex_admin.delete(f"{INVITATIONS}/{key}"))[:2] == (404, "not_found")
        assert problem(globex_admin.post(f"{INVITATIONS}/{key}/resend"))[:2] == (404, "not_found")
    assert globex_admin.get(INVITATIONS).json()["data"] == []
    assert find_invitation(token, now=clock.now()) is not None
