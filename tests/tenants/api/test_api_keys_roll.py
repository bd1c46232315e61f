"""POST /api-keys/{id}/roll."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from rest_framework.test import APIClient

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import tenant_scope
from apps.tenants.models import ApiKey, Tenant
from apps.tenants.services import roll_api_key
from tests.conftest import client_for
from tests.factories.tenants import make_api_key, make_member
from tests.tenants.api.calls import field_errors, problem, signed_in
from tests.tenants.records import actions, emitted, leaves

KEYS = "/api/v1/api-keys"
SAME = ("name", "mode", "scopes", "allowed_networks", "expires_at")
UNTIL = "2126-03-02T12:00:00Z"


@pytest.fixture
def robot(acme_admin: APIClient) -> dict[str, Any]:
    """A key with everything that a key can have, and its secret."""
    body = {"name": "robot", "mode": "test", "scopes": ["tenant:read", "accounts:read"]}
    body |= {"allowed_networks": ["127.0.0.0/8"], "expires_at": UNTIL}
    created: dict[str, Any] = acme_admin.post(KEYS, body, format="json").json()
    return created


def roll(client: APIClient, key_id: object, headers: dict[str, str] | None = None, **body: Any) -> Any:
    return client.post(f"{KEYS}/{key_id}/roll", body, format="json", headers=headers)


def stored(tenant: Tenant) -> dict[UUID, ApiKey]:
    with tenant_scope(tenant.id):
        return {key.id: key for key in ApiKey.objects.all()}


def works(secret: str) -> bool:
    return bool(client_for(secret).get("/api/v1/me").status_code == 200)


def test_the_new_key_is_the_old_one_with_another_secret(acme_admin: APIClient, robot: dict[str, Any]) -> None:
    response = roll(acme_admin, robot["id"])
    body = response.json()
    assert response.status_code == 201
    assert {name: body[name] for name in SAME} == {name: robot[name] for name in SAME}
    assert (body["version"], body["revoked_at"], body["created_by"]) == (1, None, "acme admin")
    assert body["id"] != robot["id"]
    assert body["secret"] != robot["secret"]
    assert response["Cache-Control"] == "no-store"
    assert works(robot["secret"])
    assert works(body["secret"])
    assert body["secret"] not in acme_admin.get(KEYS).content.decode()


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [({}, 86_400), ({"overlap_seconds": 60}, 60), ({"overlap_seconds": 604_800}, 604_800)],
)
def test_the_old_key_works_for_a_day_or_as_long_as_asked(
    acme: Tenant, acme_admin: APIClient, robot: dict[str, Any], asked: dict[str, int], seconds: int
) -> None:
    before = clock.now()
    assert acme_admin.post(f"{KEYS}/{robot['id']}/roll", asked, format="json").status_code == 201
    end = stored(acme)[UUID(robot["id"])].expires_at
    assert end is not None
    assert before <= end - timedelta(seconds=seconds) <= clock.now()


def test_without_overlap_the_old_key_is_refused_at_once(acme_admin: APIClient, robot: dict[str, Any]) -> None:
    created = roll(acme_admin, robot["id"], overlap_seconds=0).json()
    refused = client_for(robot["secret"]).get("/api/v1/me")
    assert problem(refused) == (401, "authentication_required", "The API key has expired.")
    assert works(created["secret"])


def test_an_overlap_gives_the_old_key_no_more_time_than_it_had(acme: Tenant, now: datetime) -> None:
    actor = system_actor("tests", tenant_id=acme.id)
    make_api_key(acme, expires_at=now + timedelta(hours=1), now=now)
    (old,) = stored(acme)
    created = roll_api_key(api_key_id=old, overlap_seconds=86_400, actor=actor, now=now)
    assert {key.expires_at for key in stored(acme).values()} == {now + timedelta(hours=1)}
    with pytest.raises(Exception, match="does not work any more"):
        roll_api_key(api_key_id=old, overlap_seconds=60, actor=actor, now=now + timedelta(hours=1))
    assert set(stored(acme)) == {old, created.key.id}


def test_rolling_on_ends_the_overlap_before_so_that_two_secrets_work_at_most(
    acme_admin: APIClient, acme: Tenant, robot: dict[str, Any]
) -> None:
    second = roll(acme_admin, robot["id"], overlap_seconds=604_800).json()
    third = roll(acme_admin, second["id"], overlap_seconds=604_800).json()
    first, second_key, third_key = (stored(acme)[UUID(key["id"])] for key in (robot, second, third))
    assert (first.revoked_at is None, second_key.revoked_at, third_key.revoked_at) == (False, None, None)
    assert actions(acme.id)[-3:] == ["api_key.revoked", "api_key.created", "api_key.rolled"]


def test_both_keys_are_told_of_and_neither_secret_is(
    acme: Tenant, acme_admin: APIClient, robot: dict[str, Any]
) -> None:
    created = roll(acme_admin, robot["id"], overlap_seconds=60).json()
    end = stored(acme)[UUID(robot["id"])].expires_at
    assert end is not None
    told = end.isoformat().replace("+00:00", "Z")
    assert actions(acme.id)[-2:] == ["api_key.created", "api_key.rolled"]
    assert leaves(acme.id)[-1][1] == {"expires_at": [UNTIL, told], "replaced_by": [None, created["id"]]}
    (_created, data), (event, old) = emitted(acme.id)[-2:]
    assert (event, data["id"], old["id"]) == ("api_key.rolled", created["id"], robot["id"])
    assert (old["expires_at"], old["replaced_by"]) == (told, created["id"])
    assert data["replaced_by"] is None
    assert created["secret"] not in str([leaves(acme.id), emitted(acme.id)])


def test_a_repeated_request_gets_the_first_answer_and_makes_no_third_key(
    acme: Tenant, acme_admin: APIClient, robot: dict[str, Any]
) -> None:
    first, again = (roll(acme_admin, robot["id"], {"Idempotency-Key": "k-1"}) for _ in range(2))
    assert (first.status_code, again.content, again["Idempotency-Replayed"]) == (201, first.content, "true")
    assert len(stored(acme)) == 3


def test_a_key_can_roll_itself(acme: Tenant) -> None:
    client = client_for(make_api_key(acme, scopes=["api_keys:write"], expires_at=datetime.fromisoformat(UNTIL)))
    (own,) = stored(acme)
    assert works(roll(client, own).json()["secret"])


def test_nobody_gets_a_secret_that_can_do_more_than_they(
    acme: Tenant, acme_admin: APIClient, robot: dict[str, Any]
) -> None:
    client = client_for(make_api_key(acme, scopes=["api_keys:write", "tenant:read"]))
    before, told = stored(acme), actions(acme.id)
    assert problem(roll(client, robot["id"])) == (403, "api_key_exceeds_creator", "You do not have: accounts:read")
    make_member(acme, "vic", "viewer")
    assert problem(roll(signed_in("vic"), robot["id"]))[:2] == (403, "permission_denied")
    assert {key.version for key in stored(acme).values()} == {1}
    assert (set(stored(acme)), actions(acme.id)[: len(told)]) == (set(before), told)


def test_a_revoked_key_stays_revoked(acme: Tenant, acme_admin: APIClient, robot: dict[str, Any]) -> None:
    acme_admin.delete(f"{KEYS}/{robot['id']}")
    assert problem(roll(acme_admin, robot["id"]))[:2] == (409, "api_key_not_active")
    assert (len(stored(acme)), actions(acme.id)[-1]) == (2, "api_key.revoked")


def test_a_stale_version_changes_nothing(acme: Tenant, acme_admin: APIClient, robot: dict[str, Any]) -> None:
    assert problem(roll(acme_admin, robot["id"], {"If-Match": '"2"'}))[:2] == (412, "version_conflict")
    assert (len(stored(acme)), actions(acme.id)[-1]) == (2, "api_key.created")
    assert roll(acme_admin, robot["id"], {"If-Match": '"1"'}).status_code == 201


@pytest.mark.parametrize("overlap", [-1, 604_801, "60", 1.5, None])
def test_an_overlap_is_a_number_of_seconds_up_to_a_week(
    acme: Tenant, acme_admin: APIClient, robot: dict[str, Any], overlap: object
) -> None:
    response = roll(acme_admin, robot["id"], overlap_seconds=overlap)
    assert (problem(response)[:2], field_errors(response)[0][0]) == ((400, "validation_failed"), "overlap_seconds")
    assert len(stored(acme)) == 2


def test_another_tenants_key_is_not_there(acme: Tenant, globex_admin: APIClient, robot: dict[str, Any]) -> None:
    for key_id in (robot["id"], uuid4()):
        assert problem(roll(globex_admin, key_id, overlap_seconds="no number"))[:2] == (404, "not_found")
    assert len(stored(acme)) == 2
