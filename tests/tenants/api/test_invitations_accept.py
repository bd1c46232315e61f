"""POST /invitations/accept."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from rest_framework.test import APIClient

from apps.core import clock
from apps.core.scope import staff_scope, tenant_scope
from apps.idempotency.models import IdempotencyRecord
from apps.tenants.models import Membership, Tenant
from apps.tenants.services import accept_invitation, revoke_invitation, suspend_tenant
from apps.tenants.services.joining import NewUser
from apps.users.models import User
from apps.users.types import Origin
from tests.conftest import client_for
from tests.factories.tenants import make_api_key, make_invitation, make_member
from tests.factories.users import make_user
from tests.sandbox_process import SandboxProcess
from tests.tenants.api.calls import field_errors, problem, sign_in, signed_in
from tests.tenants.records import actions, emitted, leaves
from tests.tenants.test_services import SYSTEM
from tests.threads import begin, blocked_sessions
from tests.waiting import wait_until

ACCEPT = "/api/v1/invitations/accept"
CHOSEN = {"username": "neo", "password": "there is no spoon"}


def accept(token: str, chosen: dict[str, str] | None = None, client: APIClient | None = None) -> Any:
    return (client or client_for()).post(ACCEPT, {"token": token, **(chosen or {})}, format="json")


def members(tenant: Tenant) -> dict[str, str]:
    with tenant_scope(tenant.id):
        return dict(Membership.objects.values_list("email", "role"))


def test_a_new_user_joins_under_the_invited_address_and_signs_in(acme: Tenant) -> None:
    _invitation, token = make_invitation(acme, "neo@example.com", "trader")
    response = accept(token, CHOSEN)
    body = response.json()
    assert response.status_code == 201
    assert body["tenant"] == {"id": str(acme.id), "slug": "acme", "name": "Acme"}
    assert (body["member"]["name"], body["member"]["email"], body["member"]["role"]) == (
        "neo",
        "neo@example.com",
        "trader",
    )
    assert sign_in("neo", CHOSEN["password"]).status_code == 200
    user = User.objects.get(username="neo")
    assert (user.email, user.is_staff, user.is_superuser) == ("neo@example.com", False, False)


def test_it_is_told_in_the_tenants_log_as_the_new_members_doing(acme: Tenant) -> None:
    _invitation, token = make_invitation(acme, "neo@example.com", "trader")
    member = accept(token, CHOSEN).json()["member"]
    assert actions(acme.id)[-2:] == ["member.added", "invitation.accepted"]
    assert leaves(acme.id)[-1][1]["member_id"] == [None, member["id"]]
    assert [type for type, _data in emitted(acme.id)[-2:]] == ["member.added", "invitation.accepted"]
    assert token not in str([leaves(acme.id), emitted(acme.id), leaves(None)])
    assert "user.created" in actions(None)


def test_a_signed_in_user_joins_another_tenant(acme: Tenant, globex: Tenant) -> None:
    ada = make_member(globex, "ada", "viewer")
    _invitation, token = make_invitation(acme, "work@example.com", "trader")
    response = accept(token, client=signed_in("ada"))
    assert (response.status_code, response.json()["member"]["user_id"]) == (201, str(ada.id))
    assert members(acme) == {"ada@example.com": "trader"}
    assert sign_in("ada", tenant="acme").status_code == 200


def test_every_token_that_is_no_good_gets_the_same_answer(acme: Tenant, globex: Tenant) -> None:
    """And so does a good one's neighbour; whether a user name is taken is not said to those without one."""
    make_user("taken")
    past = clock.now() - timedelta(days=7)
    tokens = {"unknown": "foi_" + "A" * 43, "of another kind": make_api_key(acme), "junk": "\u00e9"}
    _expired, tokens["expired"] = make_invitation(acme, "a@example.com", now=past)
    revoked, tokens["revoked"] = make_invitation(acme, "b@example.com")
    revoke_invitation(invitation_id=revoked.id, actor=SYSTEM.for_tenant(acme.id), now=clock.now())
    _used, tokens["used"] = make_invitation(acme, "c@example.com")
    assert accept(tokens["used"], CHOSEN).status_code == 201
    before = (actions(acme.id), actions(None), User.objects.count())
    said = set()
    for token in tokens.values():
        for username in ("taken", "free"):
            answer = accept(token, {"username": username, "password": "short"})
            said.add((*problem(answer), answer.json()["title"]))
    assert said == {(400, "invalid_invitation", "The invitation is not valid", "The invitation is not valid")}
    assert (actions(acme.id), actions(None), User.objects.count()) == before


def test_an_invitation_works_until_its_last_second(acme: Tenant) -> None:
    start = clock.now()
    _invitation, token = make_invitation(acme, "neo@example.com", now=start)
    chosen = NewUser(**CHOSEN)
    end = start + timedelta(days=7)
    with pytest.raises(Exception, match="not valid"):
        accept_invitation(token=token, by=chosen, origin=Origin(), now=end)
    joined = accept_invitation(token=token, by=chosen, origin=Origin(), now=end - timedelta(microseconds=1))
    assert (joined.member.role, joined.tenant.slug) == ("viewer", "acme")


@pytest.mark.parametrize(
    ("chosen", "refusal"),
    [
        ({"username": "neo", "password": "short"}, (400, "password_too_weak")),
        ({"username": "taken", "password": CHOSEN["password"]}, (409, "username_taken")),
        ({"username": "n e o", "password": CHOSEN["password"]}, (400, "validation_failed")),
    ],
)
def test_a_refusal_makes_nothing_and_leaves_the_token_good(
    acme: Tenant, chosen: dict[str, str], refusal: tuple[int, str]
) -> None:
    make_user("taken")
    _invitation, token = make_invitation(acme, "neo@example.com")
    before = (actions(acme.id), User.objects.count())
    assert problem(accept(token, chosen))[:2] == refusal
    assert (actions(acme.id), User.objects.count(), members(acme)) == (*before, {})
    assert accept(token, CHOSEN).status_code == 201


def test_a_password_of_a_breach_is_refused_and_the_token_stays_good(
    acme: Tenant, sandbox: SandboxProcess, settings: Any
) -> None:
    settings.BREACHED_PASSWORDS = True
    _invitation, token = make_invitation(acme, "neo@example.com")
    answer = accept(token, {"username": "neo", "password": "correct horse battery staple"})
    assert problem(answer) == (
        400,
        "password_too_weak",
        "The password is known from a data breach: change it wherever you use it.",
    )
    assert (User.objects.count(), members(acme)) == (0, {})
    assert accept(token, CHOSEN).status_code == 201


def test_a_member_does_not_join_twice(acme: Tenant) -> None:
    make_member(acme, "ada", "viewer")
    _invitation, token = make_invitation(acme, "ada.at.home@example.com", "trader")
    assert problem(accept(token, client=signed_in("ada")))[:2] == (409, "already_a_member")
    assert members(acme) == {"ada@example.com": "viewer"}
    assert accept(token, CHOSEN).status_code == 201


def test_without_a_name_one_is_signed_in(acme: Tenant, acme_admin: APIClient) -> None:
    _invitation, token = make_invitation(acme, "neo@example.com")
    for client in (client_for(), acme_admin, client_for("nonsense")):
        assert problem(accept(token, client=client))[:2] == (401, "authentication_required")
    for half in ("username", "password"):
        response = accept(token, {half: CHOSEN[half]})
        (other,) = set(CHOSEN) - {half}
        assert (problem(response)[:2], field_errors(response)) == ((400, "validation_failed"), [(other, "required")])
    assert members(acme) == {}


def test_a_suspended_tenant_is_not_joined(acme: Tenant) -> None:
    _invitation, token = make_invitation(acme, "neo@example.com")
    suspend_tenant(tenant_id=acme.id, actor=SYSTEM, now=clock.now())
    assert problem(accept(token, CHOSEN))[:2] == (403, "tenant_suspended")
    with staff_scope():
        assert not Membership.objects.exists()


def test_tries_are_limited_by_address_as_sign_ins_are(acme: Tenant) -> None:
    assert '"sign_in"' in accept("foi_x", CHOSEN)["RateLimit-Policy"]


def once(token: str, key: str, chosen: dict[str, str], client: APIClient | None = None) -> Any:
    body = {"token": token, **chosen}
    return (client or client_for()).post(ACCEPT, body, format="json", headers={"Idempotency-Key": key})


def test_sent_again_with_its_key_it_is_answered_as_before(acme: Tenant) -> None:
    _invitation, token = make_invitation(acme, "neo@example.com")
    first = once(token, "k1", CHOSEN)
    signed = client_for(sign_in("neo", CHOSEN["password"]).json()["access"])
    before = (actions(acme.id), emitted(acme.id), actions(None), members(acme))
    again = once(token, "k1", CHOSEN)
    assert (first.status_code, first.get("Idempotency-Replayed")) == (201, None)
    assert (again.status_code, again["Idempotency-Replayed"], again.content) == (201, "true", first.content)
    assert problem(once(token, "k2", CHOSEN))[:2] == (400, "invalid_invitation")
    other = {**CHOSEN, "password": "there is a spoon"}
    assert problem(once(token, "k1", other))[:2] == (422, "idempotency_key_reused")
    assert problem(once(token, "k1", {}, signed))[:2] == (400, "invalid_invitation")
    assert problem(once(token, "ä", CHOSEN))[:2] == (400, "idempotency_key_invalid")
    assert (actions(acme.id), emitted(acme.id), actions(None), members(acme)) == before


@pytest.mark.commits
def test_two_at_once_join_once_and_are_answered_alike(acme: Tenant) -> None:
    _invitation, token = make_invitation(acme, "neo@example.com")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE users_user IN SHARE MODE")  # both tokens are good, nobody has joined yet
        both = [begin(lambda: once(token, "k1", CHOSEN)) for _time in range(2)]
        wait_until(lambda: blocked_sessions() == 2, what="both to wait")
    answers = [one.result(20) for one in both]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert sorted(answer.get("Idempotency-Replayed", "") for answer in answers) == ["", "true"]
    assert answers[0].content == answers[1].content
    assert actions(acme.id).count("invitation.accepted") == 1


def test_a_refusal_keeps_no_key(acme: Tenant) -> None:
    make_user("taken")
    _invitation, token = make_invitation(acme, "neo@example.com")
    assert problem(once(token, "k1", {**CHOSEN, "username": "taken"}))[:2] == (409, "username_taken")
    assert problem(once("foi_" + "A" * 43, "k1", CHOSEN))[:2] == (400, "invalid_invitation")
    assert once(token, "k1", CHOSEN).status_code == 201


def test_the_tenants_own_keys_are_others(acme: Tenant, acme_admin: APIClient) -> None:
    _invitation, token = make_invitation(acme, "neo@example.com")
    assert once(token, "k1", CHOSEN).status_code == 201
    body = {"email": "trinity@example.com", "role": "viewer"}
    invited = acme_admin.post("/api/v1/invitations", body, format="json", headers={"Idempotency-Key": "k1"})
    assert (invited.status_code, invited.get("Idempotency-Replayed")) == (201, None)
    [kept, theirs] = records(acme)
    assert (len(kept.key), theirs.key) == (64, "k1")
    assert kept.body is not None
    assert token.encode() not in bytes(kept.body)


def records(tenant: Tenant) -> list[IdempotencyRecord]:
    with tenant_scope(tenant.id):
        return list(IdempotencyRecord.objects.order_by("created_at", "id"))
