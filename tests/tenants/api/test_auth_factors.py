"""/auth/factors: a user's own authenticators and recovery codes."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.core import clock
from apps.core.actor import system_actor
from apps.tenants.models import Tenant
from apps.users.models import Authenticator, RecoveryCodes, User
from apps.users.services import add_totp_device
from tests.backoffice.staff import code_of, wait_for_fresh_period, wrong_code_of
from tests.factories.tenants import make_member
from tests.tenants.api.calls import field_errors, problem, sign_in, signed_in
from tests.tenants.records import leaves

FACTORS = "/api/v1/auth/factors"


@pytest.fixture
def ada(acme: Tenant) -> User:
    return make_member(acme, "ada", "viewer")


@pytest.fixture
def client(ada: User) -> APIClient:
    return signed_in("ada")


def begin(client: APIClient, **body: str) -> Any:
    return client.post(f"{FACTORS}/totp", body, format="json")


def confirm(client: APIClient, device: Authenticator, code: str = "") -> Any:
    body = {"otp": code or code_of(device)}
    return client.post(f"{FACTORS}/totp/{device.id}/confirm", body, format="json")


def enrol(client: APIClient, name: str = "phone") -> tuple[Authenticator, Any]:
    device = Authenticator.objects.get(id=begin(client, name=name).json()["id"])
    wait_for_fresh_period(device)
    return device, confirm(client, device).json()


def test_at_first_there_are_none(client: APIClient) -> None:
    answer = client.get(FACTORS)
    assert (answer.status_code, answer.json()) == (200, {"factors": [], "recovery_codes": None})


def test_a_new_authenticator_shows_its_secret_once_and_opens_nothing_yet(client: APIClient) -> None:
    answer = begin(client, name="phone")
    body, device = answer.json(), Authenticator.objects.get()
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    assert set(body) == {"id", "secret", "otpauth_uri", "qr_svg"}
    assert (body["id"], body["secret"], body["otpauth_uri"]) == (str(device.id), device.secret, device.config_url)
    assert body["otpauth_uri"].startswith(f"otpauth://totp/finops%3Aada?secret={device.secret}&")
    assert body["qr_svg"].startswith("<svg ")
    assert client.get(FACTORS).json() == {"factors": [], "recovery_codes": None}
    assert sign_in("ada").status_code == 200
    assert leaves(None)[-1][0] == "user.created"


def test_beginning_anew_replaces_what_was_not_confirmed(client: APIClient) -> None:
    begin(client)
    body = begin(client).json()
    assert [str(device.id) for device in Authenticator.objects.all()] == [body["id"]]


def test_confirmed_it_counts_brings_recovery_codes_and_ends_other_sessions(client: APIClient, acme: Tenant) -> None:
    other = signed_in("ada")
    device, enrolled = enrol(client)
    assert enrolled["factor"] | {"created_at": "", "last_used_at": ""} == {
        "id": str(device.id),
        "type": "totp",
        "name": "phone",
        "created_at": "",
        "last_used_at": "",
    }
    codes = enrolled["recovery_codes"]
    assert len(set(codes)) == 10
    assert (client.get(FACTORS).status_code, other.get(FACTORS).status_code) == (200, 401)
    assert client.get(FACTORS).json()["recovery_codes"]["left"] == 10
    assert leaves(None)[-2:] == [
        ("user.second_factor_added", {}),
        ("user.recovery_codes_made", {"left": [0, 10]}),
    ]
    assert leaves(acme.id)[-1] == ("session.revoked", {"reason": [None, "second_factor_changed"]})
    assert problem(sign_in("ada"))[1] == "otp_required"
    assert sign_in("ada", otp=codes[0]).status_code == 200
    assert client.get(FACTORS).json()["recovery_codes"]["left"] == 9


def test_a_second_one_brings_no_new_codes(client: APIClient) -> None:
    enrol(client)
    _device, enrolled = enrol(client, "tablet")
    assert enrolled["recovery_codes"] is None
    assert [factor["name"] for factor in client.get(FACTORS).json()["factors"]] == ["phone", "tablet"]


def test_a_wrong_code_confirms_nothing_and_makes_it_wait(client: APIClient) -> None:
    device = Authenticator.objects.get(id=begin(client).json()["id"])
    wait_for_fresh_period(device)
    assert problem(confirm(client, device, wrong_code_of(device)))[:2] == (400, "wrong_code")
    assert problem(confirm(client, device))[:2] == (400, "wrong_code")
    device.refresh_from_db()
    assert (device.confirmed, device.throttling_failure_count) == (False, 1)
    assert RecoveryCodes.objects.count() == 0


def test_a_confirmed_one_and_somebody_elses_are_not_found(client: APIClient, acme: Tenant) -> None:
    device, _enrolled = enrol(client)
    make_member(acme, "eve")
    theirs = Authenticator.objects.get(id=begin(signed_in("eve")).json()["id"])
    for asked in (device, theirs):
        assert problem(confirm(client, asked, "no code"))[:2] == (404, "not_found")
    assert problem(client.delete(f"{FACTORS}/{theirs.id}"))[:2] == (404, "not_found")
    assert Authenticator.objects.filter(id=theirs.id).exists()


def test_removing_the_last_one_takes_the_codes_along(client: APIClient) -> None:
    first, _codes = enrol(client)
    second, _none = enrol(client, "tablet")
    other = signed_in("ada", otp=_codes["recovery_codes"][0])
    assert client.delete(f"{FACTORS}/{first.id}").status_code == 204
    assert other.get(FACTORS).status_code == 401
    assert client.get(FACTORS).json()["recovery_codes"]["left"] == 9
    assert client.delete(f"{FACTORS}/{second.id}").status_code == 204
    assert client.get(FACTORS).json() == {"factors": [], "recovery_codes": None}
    assert leaves(None)[-1] == ("user.second_factor_removed", {"factors": [1, 0]})
    assert sign_in("ada").status_code == 200


def test_recovery_codes_are_renewed(client: APIClient) -> None:
    _device, enrolled = enrol(client)
    other = signed_in("ada", otp=enrolled["recovery_codes"][0])
    answer = client.post(f"{FACTORS}/recovery-codes")
    assert (answer.status_code, len(answer.json()["recovery_codes"])) == (201, 10)
    assert other.get(FACTORS).status_code == 401
    assert problem(sign_in("ada", otp=enrolled["recovery_codes"][1]))[:2] == (401, "invalid_credentials")
    assert sign_in("ada", otp=answer.json()["recovery_codes"][1]).status_code == 200


def test_without_a_factor_there_are_no_recovery_codes(client: APIClient) -> None:
    assert problem(client.post(f"{FACTORS}/recovery-codes"))[:2] == (409, "no_second_factor")
    assert RecoveryCodes.objects.count() == 0


def test_a_user_has_ten_factors_at_most(client: APIClient, ada: User) -> None:
    for _ in range(10):
        add_totp_device(user=ada, actor=system_actor("tests"), now=clock.now())
    assert problem(begin(client))[:2] == (409, "too_many_factors")
    assert Authenticator.objects.count() == 10


@pytest.mark.parametrize(
    ("body", "errors"),
    [({"name": ""}, [("name", "blank")]), ({"name": "a" * 65}, [("name", "max_length")])],
)
def test_a_malformed_body(client: APIClient, body: dict[str, str], errors: list[tuple[str, str]]) -> None:
    assert field_errors(begin(client, **body)) == errors
