"""A provider that keeps failing is left alone, by every process at once."""

import socket
import time

import pytest

from apps.providers.enums import BreakerState, ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.transport import Blame, Verdict
from apps.providers.transport.breaker import Breaker, BreakerPolicy, connection_breaker, provider_breaker
from tests.providers.transport.server import ScriptedServer, answer

pytestmark = pytest.mark.no_database

QUICK = BreakerPolicy(failures=3, open_seconds=0.5, longest_open_seconds=1.0, probe_seconds=0.5)


@pytest.fixture
def breaker(provider) -> Breaker:
    return provider_breaker(provider, QUICK)


def trip(breaker: Breaker) -> None:
    assert [breaker.fail() for _ in range(3)] == [False, False, True]


def state_of(breaker: Breaker) -> BreakerState:
    seen = breaker.look()
    assert seen is not None
    return seen[0]


class TestStates:
    def test_closed_until_the_third_failure_in_a_row(self, breaker):
        assert [breaker.fail(), breaker.fail(), breaker.admit()] == [False, False, 0.0]
        breaker.succeed()
        assert [breaker.fail(), breaker.fail(), breaker.admit()] == [False, False, 0.0]
        assert breaker.fail()
        assert 0.0 < breaker.admit() <= 0.5
        assert state_of(breaker) is BreakerState.OPEN

    def test_it_is_shared(self, breaker, provider):
        trip(breaker)
        assert provider_breaker(provider, QUICK).admit() > 0

    def test_one_probe_at_a_time(self, breaker):
        trip(breaker)
        time.sleep(0.51)
        assert state_of(breaker) is BreakerState.HALF_OPEN
        assert breaker.admit() == 0.0
        assert 0.0 < breaker.admit() <= 0.5

    def test_a_probe_that_never_reports_is_replaced(self, breaker):
        trip(breaker)
        time.sleep(0.51)
        assert breaker.admit() == 0.0
        time.sleep(0.51)
        assert breaker.admit() == 0.0

    def test_a_good_probe_closes(self, breaker):
        trip(breaker)
        time.sleep(0.51)
        assert breaker.admit() == 0.0
        breaker.succeed()
        assert state_of(breaker) is BreakerState.CLOSED
        assert [breaker.admit(), breaker.admit()] == [0.0, 0.0]

    def test_a_failed_probe_opens_for_twice_as_long_within_a_bound(self, breaker):
        trip(breaker)
        waits = []
        for wait in (0.51, 1.01):
            time.sleep(wait)
            assert breaker.admit() == 0.0
            assert breaker.fail()
            waits.append(breaker.admit())
        assert all(0.5 < wait <= 1.0 for wait in waits)

    def test_late_failures_of_older_calls_do_not_prolong(self, breaker):
        trip(breaker)
        before = breaker.admit()
        assert breaker.fail() is False
        assert 0.0 < breaker.admit() <= before

    def test_without_valkey_calls_go_through(self, breaker, settings):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            settings.REDIS_URL = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        assert [breaker.fail() for _ in range(5)] == [False] * 5
        assert (breaker.admit(), breaker.look()) == (0.0, None)


class TestCalls:
    def test_an_open_breaker_sends_nothing(self, provider, make_client):
        with ScriptedServer(answer(status=503)) as server:
            client = make_client(server.url, policy={"breaker": QUICK})
            with pytest.raises(ProviderError):
                client.get("op", "/x")
            assert len(server.requests) == 3
            with pytest.raises(ProviderError) as caught:
                client.get("op", "/x")
            assert (caught.value.category, caught.value.code) == (ErrorCategory.RETRYABLE, "circuit_open")
            assert 0.0 < (caught.value.retry_after or 0) <= 0.5
            assert len(server.requests) == 3
            server.play(answer({"ok": True}))
            time.sleep(0.51)
            assert client.get("op", "/x") == {"ok": True}
            assert state_of(provider_breaker(provider)) is BreakerState.CLOSED

    @pytest.mark.parametrize("status", [401, 404, 429])
    def test_an_answer_is_no_outage(self, provider, make_client, status):
        with ScriptedServer(answer(status=status)) as server:
            client = make_client(server.url, policy={"breaker": QUICK, "tries": 1})
            for _ in range(6):
                with pytest.raises(ProviderError):
                    client.get("op", "/x")
            assert len(server.requests) == 6
            assert state_of(provider_breaker(provider)) is BreakerState.CLOSED

    def test_one_bank_that_is_away_stops_only_its_own_connection(self, provider, make_client):
        def classify(status, body):
            return Verdict(category=ErrorCategory.RETRYABLE, code="bank", message="", blame=Blame.CONNECTION)

        with ScriptedServer(answer(status=502)) as server:
            away = make_client(server.url, connection="away", policy={"breaker": QUICK}, classify=classify)
            with pytest.raises(ProviderError):
                away.get("op", "/x")
            assert state_of(connection_breaker(provider, "away")) is BreakerState.OPEN
            server.play(answer({"ok": True}))
            other = make_client(server.url, connection="other", policy={"breaker": QUICK})
            assert other.get("op", "/x") == {"ok": True}
            with pytest.raises(ProviderError) as caught:
                away.get("op", "/x")
            assert caught.value.code == "circuit_open"
