"""Staff and their own second factors; and the page that asks again who they are before a sensitive change."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import staff_scope
from apps.tenants.models import Tenant
from apps.users.models import Authenticator, User
from apps.users.services import add_totp_device
from tests.backoffice.staff import code_of, open_session, post_login, wait_for_fresh_period, wrong_code_of
from tests.factories.users import PASSWORD

PAGE = "/admin/factors/"
CONFIRM = "/admin/confirm/"


def age_proof(client: Client, *, seconds: int = 901) -> None:
    session = client.session
    session["proved_at"] = (clock.now() - timedelta(seconds=seconds)).isoformat()
    session.save()


def text_of(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


def codes_on(text: str) -> list[str]:
    return re.findall(r"<li><code>([a-z2-7-]+)</code></li>", text)


def add(client: Client, name: str = "tablet") -> tuple[Authenticator, str]:
    text = text_of(client.post(f"{PAGE}add/", {"name": name}))
    return Authenticator.objects.get(confirmed=False), text


def added(client: Client, name: str = "tablet") -> tuple[Authenticator, Any]:
    device, _text = add(client, name)
    wait_for_fresh_period(device)
    return device, client.post(f"{PAGE}{device.id}/confirm/", {"otp": code_of(device)}, follow=True)


def actions_upon(user: User) -> list[str]:
    with staff_scope():
        entries = AuditEntry.objects.filter(tenant_id=None, target_id=str(user.pk)).order_by("position")
        return list(entries.values_list("action", flat=True))


class TestFactors:
    def test_the_page_shows_what_there_is_and_keeps_the_last_one(self, staff_client: Client, device: Authenticator):
        text = text_of(staff_client.get(PAGE))
        assert "Your only one: add another before you remove it." in text
        assert "You have none. Make some" in text
        answer = staff_client.post(f"{PAGE}{device.id}/remove/", follow=True)
        assert "The last second factor" in text_of(answer)
        assert Authenticator.objects.get().confirmed

    def test_another_one_is_scanned_confirmed_and_brings_the_first_recovery_codes(self, staff_client, staff, device):
        new, text = add(staff_client)
        assert "data:image/svg+xml" in text
        assert new.secret in text
        assert new.secret not in text_of(staff_client.get(PAGE))
        wait_for_fresh_period(new)
        answer = staff_client.post(f"{PAGE}{new.id}/confirm/", {"otp": code_of(new)})
        assert len(set(codes_on(text_of(answer)))) == 10
        assert answer["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"
        assert actions_upon(staff)[-2:] == ["user.second_factor_added", "user.recovery_codes_made"]
        assert codes_on(text_of(staff_client.get(PAGE))) == []

    def test_a_wrong_code_confirms_nothing(self, staff_client, staff, device):
        new, _text = add(staff_client)
        text = text_of(staff_client.post(f"{PAGE}{new.id}/confirm/", {"otp": wrong_code_of(new)}))
        assert "The code is not right" in text
        assert Authenticator.objects.filter(confirmed=True).count() == 1

    def test_the_session_outlives_the_authenticator_that_verified_it(self, staff_client, device):
        added(staff_client)
        answer = staff_client.post(f"{PAGE}{device.id}/remove/", follow=True)
        assert "It is removed" in text_of(answer)
        assert not Authenticator.objects.filter(id=device.id).exists()
        assert staff_client.get("/admin/").status_code == 200

    def test_whatever_changes_other_sessions_in_the_admin_end(self, staff_client, staff, device):
        other = open_session(staff, device)
        assert other.get("/admin/").status_code == 200
        added(staff_client)
        assert (other.get("/admin/").status_code, staff_client.get("/admin/").status_code) == (302, 200)

    def test_recovery_codes_are_renewed_and_open_the_admin(self, staff_client, staff, device):
        codes = codes_on(text_of(staff_client.post(f"{PAGE}codes/")))
        assert "10 of 10 are left." in text_of(staff_client.get(PAGE))
        assert post_login(Client(), code=codes[0]).status_code == 302
        assert "9 of 10 are left." in text_of(staff_client.get(PAGE))

    def test_a_factor_of_somebody_else_is_out_of_reach(self, staff_client, database):
        eve = User.objects.create_user("eve")
        theirs = add_totp_device(user=eve, actor=system_actor("tests"), now=clock.now())
        staff_client.post(f"{PAGE}{theirs.id}/remove/")
        staff_client.post(f"{PAGE}{theirs.id}/confirm/", {"otp": code_of(theirs)})
        assert Authenticator.objects.filter(id=theirs.id, last_period=-1).exists()

    @pytest.mark.parametrize("path", ["add/", "codes/"])
    def test_changes_are_posted(self, staff_client, path):
        assert staff_client.get(f"{PAGE}{path}").status_code == 403


class TestProof:
    def test_a_page_of_factors_asks_first_and_leads_back(self, staff_client, device):
        age_proof(staff_client)
        answer = staff_client.get(PAGE)
        assert (answer.status_code, answer["Location"]) == (302, f"{CONFIRM}?next=%2Fadmin%2Ffactors%2F")
        assert "Confirm that it is you" in text_of(staff_client.get(answer["Location"]))
        wait_for_fresh_period(device)
        proof = {"password": PASSWORD, "otp": code_of(device), "next": PAGE}
        answer = staff_client.post(CONFIRM, proof)
        assert (answer.status_code, answer["Location"]) == (302, PAGE)
        assert "Authenticator apps" in text_of(staff_client.get(PAGE))

    @pytest.mark.parametrize("wrong", ["password", "code"])
    def test_neither_half_is_enough(self, staff_client, device, wrong):
        age_proof(staff_client)
        wait_for_fresh_period(device)
        proof = {"password": PASSWORD, "otp": code_of(device), "next": PAGE}
        proof |= {"password": "wrong"} if wrong == "password" else {"otp": wrong_code_of(device)}
        assert "The credentials are not valid" in text_of(staff_client.post(CONFIRM, proof))
        assert staff_client.get(PAGE).status_code == 302

    def test_it_cannot_be_tried_without_end(self, staff_client, staff, device):
        age_proof(staff_client)
        for _attempt in range(5):
            text = text_of(staff_client.post(CONFIRM, {"password": "wrong", "otp": "000000", "next": PAGE}))
        assert "Too many failed sign-ins" in text
        wait_for_fresh_period(device)
        staff_client.post(CONFIRM, {"password": PASSWORD, "otp": code_of(device), "next": PAGE})
        assert staff_client.get(PAGE).status_code == 302

    @pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/admin/", "/api/v1/me", ""])
    def test_it_leads_to_no_page_but_ours(self, staff_client, device, target):
        wait_for_fresh_period(device)
        answer = staff_client.post(CONFIRM, {"password": PASSWORD, "otp": code_of(device), "next": target})
        assert (answer.status_code, answer["Location"]) == (302, "/admin/")

    def test_signing_in_is_a_proof_and_a_session_without_one_has_none(self, staff_client, staff, device):
        wait_for_fresh_period(device)
        client = Client()
        post_login(client, code=code_of(device))
        assert client.get(PAGE).status_code == 200
        session = staff_client.session
        del session["proved_at"]
        session.save()
        assert staff_client.get(PAGE).status_code == 302

    def test_a_sensitive_action_asks_first_and_changes_nothing(self, staff_client, acme: Tenant):
        url = f"/admin/tenants/tenant/{acme.pk}/do/suspend/"
        age_proof(staff_client)
        answer = staff_client.post(url, {"confirmed": "1"})
        assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, CONFIRM)
        with staff_scope():
            assert Tenant.objects.get(pk=acme.pk).status == "active"
        age_proof(staff_client, seconds=890)
        staff_client.post(url, {"confirmed": "1"})
        with staff_scope():
            assert Tenant.objects.get(pk=acme.pk).status == "suspended"

    def test_these_actions_are_sensitive_and_no_stopping_is(self):
        asking = {
            f"{model._meta.label_lower}.{action.name}"
            for model, page in admin.site._registry.items()
            for action in [*getattr(page, "service_actions", ()), *contributed(model)]
            if action.sensitive
        }
        assert asking == {
            "accounts.objectgrant.revoke",
            "audit.auditsubjectkey.erase",
            "orders.riskaccount.limits",
            "tenants.membership.change_role",
            "tenants.membership.impersonate",
            "tenants.tenant.plan",
            "tenants.tenant.reactivate",
            "tenants.tenant.relax_mfa",
            "tenants.tenant.require_mfa",
            "tenants.tenant.suspend",
            "users.session.revoke",
            "users.staffsession.revoke",
            "users.user.tenants",
        }


def contributed(model: Any) -> list[Any]:
    from apps.core.admin.contributions import contributed_actions

    return contributed_actions(model)


def test_staff_say_that_a_tenant_requires_a_second_factor(staff_client, acme: Tenant):
    url = f"/admin/tenants/tenant/{acme.pk}/do"
    for name, required in (("require_mfa", True), ("relax_mfa", False)):
        staff_client.post(f"{url}/{name}/", {"confirmed": "1"})
        with staff_scope():
            assert Tenant.objects.get(pk=acme.pk).require_mfa is required
            assert AuditEntry.objects.filter(action="tenant.policy_changed").latest("position").changes == {
                "require_mfa": [not required, required]
            }
