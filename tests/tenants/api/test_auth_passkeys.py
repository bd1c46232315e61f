"""Passkeys of members: added with a fresh proof, and taken in the place of password and code."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import override_settings
from rest_framework.test import APIClient

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import staff_scope
from apps.tenants.models import Tenant
from apps.tenants.services import set_require_mfa, suspend_tenant
from apps.users.models import Passkey, PasskeyChallenge, RecoveryCodes, Session, User
from tests.conftest import client_for
from tests.factories.passkeys import PRESENT, VERIFIED, SoftAuthenticator, encoded, make_passkey
from tests.factories.tenants import make_member
from tests.factories.users import make_user
from tests.tenants.api.calls import field_errors, problem, sign_in, signed_in
from tests.tenants.records import leaves

FACTORS = "/api/v1/auth/factors"
MALFORMED = [
    ("name", "max_length"),
    ("credential.id", "required"),
    ("credential.rawId", "required"),
    ("credential.type", "required"),
    ("credential.response.clientDataJSON", "required"),
    ("credential.response.attestationObject", "required"),
]


@pytest.fixture
def ada(acme: Tenant) -> User:
    return make_member(acme, "ada", "viewer")


@pytest.fixture
def client(ada: User) -> APIClient:
    return signed_in("ada")


@pytest.fixture
def laptop(ada: User) -> SoftAuthenticator:
    return make_passkey(ada)


def post(path: str, body: Any = None, *, client: APIClient | None = None) -> Any:
    return (client or client_for()).post(f"/api/v1/auth/{path}", body, format="json")


def begin(client: APIClient) -> dict[str, Any]:
    answer = post("factors/passkeys", client=client)
    assert answer.status_code == 201
    return dict(answer.json())


def confirm(client: APIClient, begun: dict[str, Any], authenticator: SoftAuthenticator, **body: Any) -> Any:
    body = {"name": "laptop", "credential": authenticator.create(begun["options"]), **body}
    return post(f"factors/passkeys/{begun['id']}/confirm", body, client=client)


def challenge() -> dict[str, Any]:
    answer = post("passkeys/challenge")
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    return dict(answer.json())


def enter(authenticator: SoftAuthenticator, asked: dict[str, Any] | None = None, **more: Any) -> Any:
    asked = asked or challenge()
    body = {"challenge_id": asked["id"], "credential": authenticator.get(asked["options"]), **more}
    return post("token/passkey", body)


def assert_refused(answer: Any, known: int = 0) -> None:
    """It is the answer of any failed sign-in: no session has begun, and no challenge is left."""
    wrong = sign_in("ada", "not the password")
    assert problem(answer) == problem(wrong)
    assert problem(answer)[:2] == (401, "invalid_credentials")
    assert (Session.objects.count(), PasskeyChallenge.objects.count()) == (known, 0)


class TestAdding:
    def test_the_options_ask_for_a_passkey_that_verifies_its_user(self, client: APIClient, ada: User) -> None:
        begun = begin(client)
        options = begun["options"]
        assert (options["rp"], options["timeout"]) == ({"id": "testserver", "name": "finops"}, 300_000)
        assert options["user"] == {"id": encoded(ada.id.bytes), "name": "ada", "displayName": "Ada"}
        assert options["authenticatorSelection"] == {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        }
        assert (options["attestation"], options["excludeCredentials"]) == ("none", [])
        assert client.get(FACTORS).json() == {"factors": [], "recovery_codes": None}

    def test_confirmed_it_counts_brings_recovery_codes_and_ends_other_sessions(
        self, client: APIClient, acme: Tenant
    ) -> None:
        other, laptop = signed_in("ada"), SoftAuthenticator()
        answer = confirm(client, begin(client), laptop)
        passkey = Passkey.objects.get()
        assert answer.status_code == 200
        assert answer.json()["factor"] | {"created_at": ""} == {
            "id": str(passkey.id),
            "type": "passkey",
            "name": "laptop",
            "created_at": "",
            "last_used_at": None,
        }
        assert len(set(answer.json()["recovery_codes"])) == 10
        assert (bytes(passkey.credential_id), passkey.transports) == (laptop.credential_id, ["internal"])
        assert (client.get(FACTORS).status_code, other.get(FACTORS).status_code) == (200, 401)
        assert [factor["type"] for factor in client.get(FACTORS).json()["factors"]] == ["passkey"]
        assert leaves(None)[-2:] == [
            ("user.second_factor_added", {}),
            ("user.recovery_codes_made", {"left": [0, 10]}),
        ]
        assert leaves(acme.id)[-1] == ("session.revoked", {"reason": [None, "second_factor_changed"]})
        # Whoever has one cannot go by the password alone any more.
        assert problem(sign_in("ada"))[1] == "otp_required"
        assert sign_in("ada", otp=answer.json()["recovery_codes"][0]).status_code == 200

    def test_the_next_one_names_those_that_there_are(self, ada: User, laptop: SoftAuthenticator) -> None:
        client = client_for(enter(laptop).json()["access"])
        excluded = begin(client)["options"]["excludeCredentials"]
        assert excluded == [{"id": encoded(laptop.credential_id), "type": "public-key", "transports": ["internal"]}]

    def test_it_is_removed_like_any_factor(self, client: APIClient) -> None:
        laptop = SoftAuthenticator()
        factor = confirm(client, begin(client), laptop).json()["factor"]
        other = client_for(enter(laptop).json()["access"])
        assert client.delete(f"{FACTORS}/{factor['id']}").status_code == 204
        assert other.get(FACTORS).status_code == 401
        assert client.get(FACTORS).json() == {"factors": [], "recovery_codes": None}
        assert leaves(None)[-1] == ("user.second_factor_removed", {"factors": [1, 0]})
        assert problem(enter(laptop))[:2] == (401, "invalid_credentials")
        assert sign_in("ada").status_code == 200

    @pytest.mark.parametrize(
        "wrong",
        [
            {"origin": "http://testserver.evil.example"},
            {"origin": "https://testserver"},
            {"rp_id": "evil.example"},
            {"type": "webauthn.get"},
            {"flags": PRESENT},
            {"flags": VERIFIED},
            {"credential_id": bytes(1024)},
        ],
    )
    def test_what_was_not_asked_for_is_refused_and_the_challenge_is_spent(
        self, client: APIClient, wrong: dict[str, Any]
    ) -> None:
        begun, authenticator, before = begin(client), SoftAuthenticator(), leaves(None)
        vars(authenticator).update(wrong)
        assert problem(confirm(client, begun, authenticator))[:2] == (400, "passkey_refused")
        assert problem(confirm(client, begun, SoftAuthenticator()))[:2] == (404, "not_found")
        assert (Passkey.objects.count(), RecoveryCodes.objects.count(), leaves(None)) == (0, 0, before)

    def test_the_answer_to_another_challenge_is_refused(self, client: APIClient) -> None:
        first, second = begin(client), begin(client)
        answer = confirm(client, {"id": second["id"], "options": first["options"]}, SoftAuthenticator())
        assert problem(answer)[:2] == (400, "passkey_refused")

    def test_a_credential_is_registered_once(self, client: APIClient, acme: Tenant) -> None:
        laptop = SoftAuthenticator()
        confirm(client, begin(client), laptop)
        make_member(acme, "eve")
        eve = signed_in("eve")
        assert problem(confirm(eve, begin(eve), laptop))[:2] == (400, "passkey_refused")
        assert Passkey.objects.count() == 1

    def test_a_challenge_is_its_sessions_own_and_ends(self, client: APIClient, acme: Tenant) -> None:
        begun, laptop = begin(client), SoftAuthenticator()
        make_member(acme, "eve")
        for other in (signed_in("ada"), signed_in("eve")):
            assert problem(confirm(other, begun, laptop))[:2] == (404, "not_found")
        asked = challenge()
        assert problem(confirm(client, {"id": asked["id"], "options": begun["options"]}, laptop))[0] == 404
        PasskeyChallenge.objects.update(expires_at=F("expires_at") - timedelta(seconds=300))
        assert problem(confirm(client, begun, laptop))[:2] == (404, "not_found")
        assert Passkey.objects.count() == 0

    @pytest.mark.parametrize(
        ("body", "errors"),
        [
            ({}, [("credential", "required")]),
            ({"credential": "text"}, [("credential", "invalid")]),
            ({"credential": {"response": {}}, "name": "a" * 65}, MALFORMED),
        ],
    )
    def test_a_malformed_body_leaves_the_challenge(
        self, client: APIClient, body: dict[str, Any], errors: list[tuple[str, str]]
    ) -> None:
        begun = begin(client)
        assert field_errors(post(f"factors/passkeys/{begun['id']}/confirm", body, client=client)) == errors
        assert confirm(client, begun, SoftAuthenticator()).status_code == 200

    @override_settings(BASE_URL="http://192.0.2.7:8000")
    def test_under_an_ip_address_there_are_none(self, client: APIClient) -> None:
        for answer in (post("factors/passkeys", client=client), post("passkeys/challenge")):
            assert answer.json()["detail"] == "FINOPS_BASE_URL names an IP address, and passkeys belong to a name."
            assert (answer.status_code, answer.json()["code"]) == (409, "passkeys_off")
        assert PasskeyChallenge.objects.count() == 0

    @override_settings(BASE_URL="http://127.0.0.1:8000")
    def test_a_loopback_address_has_the_name_localhost(self, client: APIClient) -> None:
        laptop = SoftAuthenticator()
        laptop.origin = "http://localhost:8000"
        begun = begin(client)
        assert begun["options"]["rp"]["id"] == "localhost"
        assert confirm(client, begun, laptop).status_code == 200


class TestSigningIn:
    def test_a_passkey_stands_for_password_and_code(self, ada: User, laptop: SoftAuthenticator, acme: Tenant) -> None:
        answer = enter(laptop)
        assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
        assert set(answer.json()) == {"access", "refresh", "token_type", "expires_in"}
        client = client_for(answer.json()["access"])
        assert client.get("/api/v1/me").json()["principal"]["id"] == str(ada.id)
        assert leaves(acme.id)[-1] == ("session.started", {"factor": [None, "passkey"]})
        used = client.get(FACTORS).json()["factors"][0]["last_used_at"]
        assert used is not None

    def test_the_challenge_names_nobody(self, laptop: SoftAuthenticator) -> None:
        options = challenge()["options"]
        assert options | {"challenge": ""} == {
            "challenge": "",
            "timeout": 300_000,
            "rpId": "testserver",
            "allowCredentials": [],
            "userVerification": "required",
        }

    @pytest.mark.parametrize(
        "wrong",
        [
            {"origin": "http://evil.example"},
            {"rp_id": "evil.example"},
            {"type": "webauthn.create"},
            {"flags": PRESENT},
            {"flags": VERIFIED},
            {"key": SoftAuthenticator().key},
            {"credential_id": b"of nobody"},
            {"user_handle": b"somebody else's!"},
        ],
    )
    def test_what_is_not_right_is_refused_like_a_wrong_password(
        self, laptop: SoftAuthenticator, wrong: dict[str, Any]
    ) -> None:
        before = leaves(None)
        vars(laptop).update(wrong)
        answer = enter(laptop)
        assert leaves(None) == before
        assert_refused(answer)

    def test_a_signature_that_was_tampered_with(self, laptop: SoftAuthenticator) -> None:
        asked = challenge()
        credential = laptop.get(asked["options"])
        credential["response"]["authenticatorData"] = laptop.get({**asked["options"], "rpId": "x"})["response"][
            "authenticatorData"
        ]
        assert_refused(post("token/passkey", {"challenge_id": asked["id"], "credential": credential}))

    @pytest.mark.parametrize("field", ["clientDataJSON", "authenticatorData", "signature", "userHandle"])
    @pytest.mark.parametrize("text", ["x", "é", "e30", "bnVsbA"])
    def test_what_only_looks_like_an_answer(self, laptop: SoftAuthenticator, field: str, text: str) -> None:
        asked = challenge()
        credential = laptop.get(asked["options"])
        credential["response"][field] = text
        assert_refused(post("token/passkey", {"challenge_id": asked["id"], "credential": credential}))

    def test_an_answer_works_once(self, laptop: SoftAuthenticator) -> None:
        asked = challenge()
        body = {"challenge_id": asked["id"], "credential": laptop.get(asked["options"])}
        assert post("token/passkey", body).status_code == 200
        assert_refused(post("token/passkey", body), known=1)

    def test_an_answer_to_another_challenge_and_one_that_comes_late(self, laptop: SoftAuthenticator) -> None:
        first, second = challenge(), challenge()
        answer = enter(laptop, {"id": first["id"], "options": second["options"]})
        PasskeyChallenge.objects.update(expires_at=F("expires_at") - timedelta(seconds=300))
        late = enter(laptop, second)
        challenge()  # takes away what is over
        PasskeyChallenge.objects.filter(expires_at__gt=clock.now()).delete()
        assert_refused(answer)
        assert_refused(late)

    def test_an_answer_for_another_purpose(self, ada: User, laptop: SoftAuthenticator) -> None:
        client = client_for(enter(laptop).json()["access"])
        for asked in (post("reauthenticate/challenge", client=client).json(), begin(client)):
            options = {"rpId": "testserver", "challenge": asked["options"]["challenge"]}
            assert problem(enter(laptop, {"id": asked["id"], "options": options}))[1] == "invalid_credentials"
        assert Session.objects.count() == 1

    def test_a_count_that_has_not_gone_on_tells_of_a_copy(self, laptop: SoftAuthenticator) -> None:
        laptop.step = 1
        assert enter(laptop).status_code == 200
        laptop.step = 0
        answer = enter(laptop)
        assert leaves(None)[-1] == ("user.sign_in_refused", {"reason": [None, "passkey_copied"]})
        assert Passkey.objects.get().sign_count == 1
        laptop.count = 0
        assert problem(enter(laptop))[1] == "invalid_credentials"
        assert_refused(answer, known=1)

    def test_a_count_that_nobody_signed_tells_nothing(self, laptop: SoftAuthenticator) -> None:
        laptop.step = 1
        enter(laptop)
        before, laptop.step, laptop.key = leaves(None), 0, SoftAuthenticator().key
        answer = enter(laptop)
        assert leaves(None) == before
        assert_refused(answer, known=1)

    def test_a_deactivated_user(self, ada: User, laptop: SoftAuthenticator) -> None:
        with staff_scope():
            User.objects.filter(id=ada.id).update(is_active=False)
        answer = enter(laptop)
        assert leaves(None)[-1] == ("user.sign_in_refused", {"reason": [None, "deactivated"]})
        assert Passkey.objects.get().last_used_at is None
        assert_refused(answer)

    def test_a_locked_out_name_stays_out(self, laptop: SoftAuthenticator) -> None:
        for _ in range(5):
            locked = sign_in("ada", "not the password")
        answer = enter(laptop)
        assert problem(answer) == problem(locked)
        assert problem(answer)[:2] == (429, "locked_out")
        assert (Session.objects.count(), Passkey.objects.get().last_used_at) == (0, None)

    def test_wrong_answers_lock_nobody_out(self, laptop: SoftAuthenticator) -> None:
        right, laptop.key = laptop.key, SoftAuthenticator().key
        for _ in range(6):
            assert problem(enter(laptop))[1] == "invalid_credentials"
        laptop.key = right
        assert enter(laptop).status_code == 200

    def test_the_tenant_decides_as_with_a_password(self, ada: User, laptop: SoftAuthenticator, acme: Tenant) -> None:
        assert problem(enter(laptop, tenant="globex"))[:2] == (403, "not_a_member")
        suspend_tenant(tenant_id=acme.id, actor=system_actor("tests"), now=clock.now())
        assert problem(enter(laptop))[:2] == (403, "tenant_suspended")
        assert Session.objects.count() == 0

    def test_who_belongs_to_no_tenant_is_a_stranger(self, ada: User, laptop: SoftAuthenticator) -> None:
        assert_refused(enter(make_passkey(make_user("nobodys"))))

    def test_it_is_what_a_tenant_wants_that_requires_a_second_factor(
        self, client: APIClient, acme: Tenant, ada: User
    ) -> None:
        set_require_mfa(tenant_id=acme.id, require_mfa=True, actor=system_actor("tests"), now=clock.now())
        assert problem(client.get("/api/v1/tenant"))[1] == "second_factor_required"
        assert confirm(client, begin(client), SoftAuthenticator()).status_code == 200
        assert client.get("/api/v1/tenant").status_code == 200


class TestProving:
    @pytest.fixture
    def client(self, laptop: SoftAuthenticator) -> APIClient:
        client = client_for(enter(laptop).json()["access"])
        Session.objects.update(proved_at=F("proved_at") - timedelta(seconds=901))
        return client

    def prove(self, client: APIClient, authenticator: SoftAuthenticator) -> Any:
        asked = post("reauthenticate/challenge", client=client).json()
        body = {"challenge_id": asked["id"], "credential": authenticator.get(asked["options"])}
        return post("reauthenticate/passkey", body, client=client)

    def test_a_passkey_renews_the_proof(self, client: APIClient, laptop: SoftAuthenticator, acme: Tenant) -> None:
        assert problem(post("factors/passkeys", client=client))[1] == "reauthentication_required"
        answer = self.prove(client, laptop)
        assert (answer.status_code, set(answer.json())) == (200, {"proved_at", "good_until"})
        assert leaves(acme.id)[-1] == ("session.proved", {})
        assert post("factors/passkeys", client=client).status_code == 201

    def test_nobody_elses_does(self, client: APIClient, acme: Tenant) -> None:
        eves = make_passkey(make_member(acme, "eve"))
        assert problem(self.prove(client, eves))[:2] == (401, "invalid_credentials")
        assert problem(post("factors/passkeys", client=client))[1] == "reauthentication_required"

    def test_an_answer_of_another_session_does_not(self, client: APIClient, laptop: SoftAuthenticator) -> None:
        other = client_for(enter(laptop).json()["access"])
        asked = post("reauthenticate/challenge", client=other).json()
        body = {"challenge_id": asked["id"], "credential": laptop.get(asked["options"])}
        assert problem(post("reauthenticate/passkey", body, client=client))[1] == "invalid_credentials"
