"""How often clients may ask the API, and what every answer says of it."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY
from rest_framework.test import APIClient

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import tenant_scope
from apps.core.shared import gcra
from apps.core.shared.gcra import Bucket, Slots
from apps.outbox.models import OutboxEvent
from apps.tenants.enums import Plan
from apps.tenants.models import ApiKey, Tenant
from apps.tenants.services import set_plan
from tests.conftest import client_for
from tests.factories.tenants import make_api_key, make_member

# What is spent does not come back while a test runs.
RATE = 0.01
SLOW = {"key": (RATE, 3), "user": (RATE, 3), "tenant": (RATE, 5), "address": (RATE, 4), "sign_in": (RATE, 2)}
TENANT = "/api/v1/tenant"


@pytest.fixture(autouse=True)
def slow(settings) -> None:
    """Limits that a test reaches."""
    settings.RATE_LIMITS = SLOW


@pytest.fixture
def without_valkey(settings) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
    yield


def test_a_key_has_its_burst_and_is_told_when_to_come_back(acme_viewer: APIClient):
    answers = [acme_viewer.get(TENANT) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer["RateLimit-Policy"] for answer in answers] == ['"key";q=3;w=300, "tenant";q=5;w=500'] * 4
    left = [answer["RateLimit"].partition('"key";r=')[2][0] for answer in answers]
    assert left == ["2", "1", "0", "0"]
    refused = answers[3]
    assert (refused["Content-Type"], refused.json()["code"], refused["Retry-After"]) == (
        "application/problem+json",
        "rate_limited",
        "100",
    )


def test_the_keys_of_a_tenant_share_its_limit_and_another_tenant_has_its_own(acme, acme_viewer, globex_admin):
    second = client_for(make_api_key(acme, role="viewer"))
    codes = [client.get(TENANT).status_code for client in (acme_viewer, second) for _ in range(3)]
    assert codes == [200, 200, 200, 200, 200, 429]
    assert globex_admin.get(TENANT).status_code == 200


def test_a_refused_request_does_nothing(acme, acme_admin: APIClient):
    def traces() -> tuple[int, int, int]:
        with tenant_scope(acme.id):
            return ApiKey.objects.count(), AuditEntry.objects.count(), OutboxEvent.objects.count()

    for _ in range(3):
        acme_admin.get(TENANT)
    before = traces()
    answer = acme_admin.post("/api/v1/api-keys", {"name": "late", "scopes": ["tenant:read"]}, format="json")
    assert (answer.status_code, traces()) == (429, before)


@pytest.mark.parametrize("path", ["/api/v1/me", "/api/v1/nowhere", "/api/v1/docs"])
def test_whoever_has_no_credentials_is_counted_by_address(database: str, path: str):
    client = APIClient()
    codes = [client.get(path).status_code for _ in range(5)]
    assert codes[3] != 429 and codes[4] == 429
    other = client.get(path, REMOTE_ADDR="192.0.2.7")
    assert (other.status_code, other["RateLimit-Policy"]) == (codes[0], '"address";q=4;w=400')


def test_guessed_credentials_are_counted_by_address(database: str):
    client = APIClient(headers={"Authorization": "Bearer fop_live_guess"})
    assert [client.get(TENANT).status_code for _ in range(5)] == [401, 401, 401, 401, 429]


def test_signing_in_has_a_limit_of_its_own(acme):
    member = make_member(acme, "somebody")
    body = {"username": member.username, "password": "wrong"}
    answers = [APIClient().post("/api/v1/auth/token", body, format="json") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert answers[0]["RateLimit-Policy"] == '"address";q=4;w=400, "sign_in";q=2;w=200'


class TestWithoutValkey:
    def test_requests_are_counted_by_this_process(self, acme_viewer: APIClient, without_valkey):
        before = REGISTRY.get_sample_value("finops_shared_state_lost_total", {"part": "request_limits"}) or 0.0
        assert [acme_viewer.get(TENANT).status_code for _ in range(4)] == [200, 200, 200, 429]
        after = REGISTRY.get_sample_value("finops_shared_state_lost_total", {"part": "request_limits"})
        assert after == before + 4

    def test_nobody_signs_in(self, acme, without_valkey):
        body = {"username": "nobody", "password": "wrong"}
        answer = APIClient().post("/api/v1/auth/token", body, format="json")
        assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")


class TestInFlight:
    """At most so many requests at once, of a key and of its tenant; the rest is refused, and no slot leaks."""

    @pytest.fixture(autouse=True)
    def few(self, settings) -> None:
        settings.RATE_LIMITS = {name: (1_000, 1_000, 3 if name == "tenant" else 2) for name in SLOW}

    def hold(self, tenant: Tenant, name: str = "key") -> tuple[list[Slots], str]:
        """Take the slots of one more request of the tenant's only key, or of another of the tenant."""
        with tenant_scope(tenant.id):
            owners = {"key": ApiKey.objects.get().id, "tenant": tenant.id}
        slots = [Slots(f"finops:{{requests}}:{one}:{owners[one]}:in-flight", 9) for one in {name, "tenant"}]
        return slots, gcra.admit([], part="test", slots=slots).lease

    def test_a_key_has_its_slots_and_gets_them_back(self, acme, acme_viewer: APIClient):
        (slots, first), _second = self.hold(acme), self.hold(acme)
        refused = acme_viewer.get(TENANT)
        assert (refused.status_code, refused.json()["code"], refused["Retry-After"]) == (429, "too_many_at_once", "1")
        assert refused.json()["detail"] == "At most 2 requests at once."
        gcra.release(slots, first, part="test")
        assert [acme_viewer.get(TENANT).status_code for _ in range(5)] == [200] * 5

    def test_the_keys_of_a_tenant_share_its_slots_and_another_tenant_has_its_own(
        self, acme, acme_viewer: APIClient, globex_admin: APIClient
    ):
        for _request in range(3):
            self.hold(acme, "tenant")
        assert acme_viewer.get(TENANT).json()["detail"] == "At most 3 requests at once."
        assert globex_admin.get(TENANT).status_code == 200

    @pytest.mark.parametrize(
        "path", ["/api/v1/orders/01990000-0000-7000-8000-000000000001", "/api/v1/nowhere", "/api/v1/tenant?odd=1"]
    )
    def test_whatever_is_answered_gives_its_slots_back(self, acme_viewer: APIClient, path: str):
        assert 429 not in [acme_viewer.get(path).status_code for _ in range(5)]

    def test_a_refused_one_counts_as_a_request(self, acme, acme_viewer: APIClient, settings):
        settings.RATE_LIMITS = dict.fromkeys(SLOW, (RATE, 3, 2))
        self.hold(acme), self.hold(acme)
        codes = [acme_viewer.get(TENANT).json()["code"] for _ in range(4)]
        assert codes == ["too_many_at_once"] * 3 + ["rate_limited"]

    def test_a_tenant_may_have_a_number_of_its_own(self, acme, acme_viewer: APIClient):
        set_plan(
            tenant_id=acme.id,
            plan=Plan.STANDARD,
            overrides={},
            key_rate=(1_000, 1_000, 3),
            tenant_rate=(1_000, 1_000),
            reason="Asked for it.",
            actor=system_actor("tests"),
            now=clock.now(),
        )
        self.hold(acme), self.hold(acme)
        assert acme_viewer.get(TENANT).status_code == 200
        self.hold(acme, "tenant")
        assert acme_viewer.get(TENANT).json()["detail"] == "At most 3 requests at once."

    def test_without_valkey_this_process_counts(self, acme_viewer: APIClient, without_valkey):
        assert [acme_viewer.get(TENANT).status_code for _ in range(5)] == [200] * 5


@pytest.mark.no_database
class TestSlots:
    @pytest.fixture(params=["valkey", "this process"])
    def slots(self, request: pytest.FixtureRequest) -> Slots:
        if request.param == "this process":
            request.getfixturevalue("without_valkey")
        return Slots(f"finops:{{test}}:{uuid4()}", 20)

    def test_never_one_more_than_there_are_of_500_at_once(self, slots: Slots):
        inside, most = set[int](), list[int]()

        def hold(number: int) -> bool:
            admission = gcra.admit([], part="test", slots=[slots])
            if not admission.lease:
                assert admission.taken == slots
                return False
            inside.add(number)
            most.append(len(inside))
            time.sleep(0.001)
            inside.remove(number)
            gcra.release([slots], admission.lease, part="test")
            return True

        with ThreadPoolExecutor(50) as pool:
            held = sum(pool.map(hold, range(500)))
        assert max(most) <= 20 < held
        leases = [gcra.admit([], part="test", slots=[slots]).lease for _ in range(21)]
        assert [bool(lease) for lease in leases] == [True] * 20 + [False]

    def test_all_of_them_or_none(self, slots: Slots):
        last = Slots(f"{slots.key}:second", 1)
        first = gcra.admit([], part="test", slots=[slots, last])
        assert gcra.admit([], part="test", slots=[slots, last]).taken == last
        gcra.release([slots, last], first.lease, part="test")
        assert all(gcra.admit([], part="test", slots=[slots]).lease for _ in range(20))


@pytest.mark.no_database
def test_what_a_killed_process_held_is_free_when_its_lease_has_run_out():
    slots = [Slots(f"finops:{{test}}:{uuid4()}", 1)]
    assert gcra.admit([], part="test", slots=slots, lease_seconds=0.2).lease
    assert not gcra.admit([], part="test", slots=slots).lease
    time.sleep(0.25)
    assert gcra.admit([], part="test", slots=slots).lease


@pytest.mark.no_database
def test_never_one_more_than_limit_and_burst_of_500_at_once():
    bucket = Bucket.of(f"finops:{{test}}:{uuid4()}", requests=100, seconds=1, burst=200)
    began = time.monotonic()
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: gcra.admit([bucket], part="test"), range(500)))
    elapsed = time.monotonic() - began
    admitted = sum(answer.wait == 0 for answer in answers)
    assert 200 <= admitted <= 200 + 100 * elapsed
