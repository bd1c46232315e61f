"""Request limits hold across processes, and in each process while Valkey is away."""

import socket
import time

import pytest
from prometheus_client import REGISTRY

from apps.providers.enums import ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.protocols import Limit
from apps.providers.transport.limiter import Limiter
from tests.providers.transport.server import ScriptedServer, answer

pytestmark = pytest.mark.no_database

THREE_THEN_TWO_A_SECOND = Limit(scope="application", requests=2, seconds=1, burst=3)


def admitted(limiter: Limiter, tries: int) -> int:
    return sum(limiter.admit() == 0.0 for _ in range(tries))


@pytest.fixture(params=["valkey", "without valkey"])
def store(request, settings):
    if request.param == "without valkey":
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
    return request.param


class TestBucket:
    def test_a_burst_then_the_rate(self, store, provider):
        limiter = Limiter(provider, "c1", [THREE_THEN_TWO_A_SECOND])
        assert admitted(limiter, 10) == 3
        wait = limiter.admit()
        assert 0.0 < wait <= 0.5
        time.sleep(wait)
        assert limiter.admit() == 0.0

    def test_connections_share_an_application_limit(self, store, provider):
        first, second = (Limiter(provider, name, [THREE_THEN_TWO_A_SECOND]) for name in ("c1", "c2"))
        assert admitted(first, 2) + admitted(second, 8) == 3

    def test_connections_do_not_share_a_connection_limit(self, store, provider):
        limit = Limit(scope="connection", requests=1, seconds=60, burst=3)
        first, second = (Limiter(provider, name, [limit]) for name in ("c1", "c2"))
        assert (admitted(first, 10), admitted(second, 10)) == (3, 3)

    def test_a_refused_request_is_charged_to_no_limit(self, store, provider):
        wide = Limit(scope="application", requests=1, seconds=60, burst=4)
        narrow = Limit(scope="connection", requests=1, seconds=60, burst=1)
        assert admitted(Limiter(provider, "c1", [wide, narrow]), 10) == 1
        assert admitted(Limiter(provider, "c2", [wide]), 10) == 3

    def test_a_pause_holds_everyone_back(self, store, provider):
        first, second = (Limiter(provider, name, [THREE_THEN_TWO_A_SECOND]) for name in ("c1", "c2"))
        first.pause(60.0)
        assert 50.0 < second.admit() <= 60.0

    def test_without_limits_everything_passes(self, provider):
        assert admitted(Limiter(provider, "c1", []), 100) == 100


def test_the_loss_of_valkey_is_counted(provider, settings):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.REDIS_URL = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
    before = REGISTRY.get_sample_value("finops_shared_state_lost_total", {"part": "limiter"}) or 0.0
    Limiter(provider, "c1", [THREE_THEN_TWO_A_SECOND]).admit()
    after = REGISTRY.get_sample_value("finops_shared_state_lost_total", {"part": "limiter"})
    assert after == before + 1


def test_a_call_waits_for_its_slot(provider, make_client):
    with ScriptedServer(answer([])) as server:
        limit = Limit(scope="application", requests=10, seconds=1, burst=1)
        client = make_client(server.url, limits=[limit])
        started = time.monotonic()
        for _ in range(3):
            client.get("op", "/x")
        assert time.monotonic() - started >= 0.2
        assert len(server.requests) == 3


def test_a_call_that_would_wait_too_long_is_handed_up(provider, make_client):
    with ScriptedServer(answer([])) as server:
        client = make_client(server.url, limits=[Limit(scope="application", requests=1, seconds=60, burst=1)])
        client.get("op", "/x")
        with pytest.raises(ProviderError) as caught:
            client.get("op", "/x")
        assert (caught.value.category, caught.value.code) == (ErrorCategory.THROTTLED, "limit_reached")
        assert 55.0 < (caught.value.retry_after or 0) <= 60.0
        assert len(server.requests) == 1


def test_a_throttle_answer_holds_back_other_connections(provider, make_client):
    with ScriptedServer(answer(status=429, headers={"Retry-After": "60"})) as server:
        limits = [THREE_THEN_TWO_A_SECOND]
        for name in ("c1", "c2"):
            with pytest.raises(ProviderError):
                make_client(server.url, connection=name, limits=limits).get("op", "/x")
        assert len(server.requests) == 1
