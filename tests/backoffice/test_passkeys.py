"""Staff and their passkeys: added in the admin, and taken at sign-in in the place of password and code."""

import json
from typing import Any

import pytest
from django.test import Client, override_settings

from apps.users.models import Passkey, PasskeyChallenge, StaffSession, User
from tests.backoffice.staff import post_login
from tests.backoffice.test_own_factors import CONFIRM, PAGE, actions_upon, age_proof, codes_on, text_of
from tests.factories.passkeys import SoftAuthenticator, make_passkey
from tests.factories.users import make_user

LOGIN = "/admin/login/passkey/"


def add(client: Client, authenticator: SoftAuthenticator) -> Any:
    asked = client.post(f"{PAGE}passkey/").json()
    credential = json.dumps(authenticator.create(asked["options"]))
    body = {"challenge": asked["challenge"], "credential": credential, "name": "laptop"}
    return client.post(f"{PAGE}passkey/confirm/", body, follow=True)


def enter(authenticator: SoftAuthenticator, client: Client, next: str = "/admin/") -> Any:
    asked = client.post(f"{LOGIN}ask/").json()
    credential = json.dumps(authenticator.get(asked["options"]))
    return client.post(LOGIN, {"challenge": asked["challenge"], "credential": credential, "next": next})


def test_a_passkey_is_added_and_brings_the_first_recovery_codes(staff_client: Client, staff: User) -> None:
    answer = add(staff_client, SoftAuthenticator())
    assert len(set(codes_on(text_of(answer)))) == 10
    assert "laptop" in text_of(staff_client.get(PAGE))
    assert actions_upon(staff)[-2:] == ["user.second_factor_added", "user.recovery_codes_made"]


def test_it_wants_a_fresh_proof(staff_client: Client) -> None:
    age_proof(staff_client)
    answer = staff_client.post(f"{PAGE}passkey/")
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, CONFIRM)
    assert PasskeyChallenge.objects.count() == 0


@pytest.mark.parametrize("credential", ["", "{", "[]", "{}", "[" * 20_000])
def test_what_is_no_passkey_is_refused(staff_client: Client, credential: str) -> None:
    asked = staff_client.post(f"{PAGE}passkey/").json()
    body = {"challenge": asked["challenge"], "credential": credential}
    assert "The passkey was refused" in text_of(staff_client.post(f"{PAGE}passkey/confirm/", body, follow=True))
    assert Passkey.objects.count() == 0


def test_it_signs_in_verified_and_with_a_fresh_proof(staff: User) -> None:
    laptop, client = make_passkey(staff), Client()
    answer = enter(laptop, client, "/admin/factors/")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/factors/")
    assert client.get(PAGE).status_code == 200
    assert actions_upon(staff)[-1] == "staff.signed_in"
    assert StaffSession.objects.get(user=staff).revoked_at is None
    assert Passkey.objects.get().last_used_at is not None


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/admin/"])
def test_it_leads_to_no_page_but_ours(staff: User, target: str) -> None:
    assert enter(make_passkey(staff), Client(), target)["Location"] == "/admin/"


def test_members_and_wrong_answers_are_refused_alike(staff: User) -> None:
    members, wrong = make_passkey(make_user("ada")), make_passkey(staff)
    wrong.origin = "http://evil.example"
    for authenticator in (members, wrong):
        client = Client()
        answer = enter(authenticator, client)
        assert (answer.status_code, "The passkey was not accepted." in answer.content.decode()) == (401, True)
        assert client.get("/admin/").status_code == 302
    assert (StaffSession.objects.filter(user__isnull=False).count(), PasskeyChallenge.objects.count()) == (0, 0)


def test_a_locked_out_name_stays_out(staff: User) -> None:
    for _ in range(5):
        post_login(Client(), password="not the password", code="123456")
    assert enter(make_passkey(staff), Client()).status_code == 429
    assert StaffSession.objects.filter(user__isnull=False).count() == 0


def test_whoever_tells_the_token_of_no_form_is_refused(staff: User) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post(f"{LOGIN}ask/").status_code == 403
    assert client.post(LOGIN).status_code == 403
    assert PasskeyChallenge.objects.count() == 0


def test_pages_say_where_passkeys_are(staff_client: Client) -> None:
    with override_settings(BASE_URL="http://127.0.0.1:8123"):
        assert 'href="http://localhost:8123/admin/factors/"' in text_of(staff_client.get(PAGE))
        assert 'href="http://localhost:8123/admin/login/"' in text_of(Client().get("/admin/login/"))
    with override_settings(BASE_URL="http://192.0.2.7"):
        assert "FINOPS_BASE_URL names an IP address" in text_of(staff_client.get(PAGE))
        assert "passkey" not in text_of(Client().get("/admin/login/")).replace("passkeys.js", "")
