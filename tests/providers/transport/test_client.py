"""What a call does when the other side answers, refuses, dawdles or dies. Real sockets throughout."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import transaction
from prometheus_client import REGISTRY

from apps.core.guard import CallInsideTransaction
from apps.providers.enums import ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.transport import CallPolicy, Verdict, default_verdict
from tests.providers.transport.server import (
    ScriptedServer,
    answer,
    dripping,
    dripping_headers,
    dropped,
    raw,
    silent,
    truncated,
)

OK = answer({"ok": True})


@pytest.fixture
def server():
    with ScriptedServer(OK) as running:
        yield running


def failed(call) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        call()
    return caught.value


@contextmanager
def full_queue() -> Iterator[str]:
    """Yield an address where a connection is neither taken nor refused."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


class TestAnswers:
    def test_decimals_are_exact(self, server, make_client):
        server.play(answer(b'{"price": 0.1000000000000000055511151231257827, "big": 1e2}'))
        assert make_client(server.url).get("op", "/x") == {
            "price": Decimal("0.1000000000000000055511151231257827"),
            "big": Decimal("1e2"),
        }

    def test_headers_credentials_and_parameters_arrive(self, server, make_client):
        client = make_client(server.url, auth=("token", ""), headers={"Teller-Version": "2020-10-12"})
        client.get("op", "/accounts/a%2Fb", params={"count": 5})
        [request] = server.requests
        assert request.startswith("GET /accounts/a%2Fb?count=5 HTTP/1.1\r\n")
        assert "Authorization: Basic dG9rZW46\r\n" in request
        assert "Teller-Version: 2020-10-12\r\n" in request

    def test_an_empty_answer_is_none(self, server, make_client):
        server.play(answer(b"", status=200))
        assert make_client(server.url).get("op", "/x") is None


class TestRetries:
    @pytest.mark.parametrize(
        ("action", "code"),
        [
            (answer(status=500), "provider_unavailable"),
            (answer(status=503), "provider_unavailable"),
            (answer(b'{"ok": tr'), "malformed_answer"),
            (answer(b"[" * 100_000), "malformed_answer"),
            (answer(b"\xff\xfe"), "malformed_answer"),
            (answer(b"plainly not gzip", headers={"Content-Encoding": "gzip"}), "malformed_answer"),
            (truncated(), "connection_lost"),
            (dropped(), "connection_lost"),
            (raw(b""), "connection_lost"),
            (raw(b"SSH-2.0-OpenSSH\r\n"), "connection_lost"),
        ],
    )
    def test_a_read_is_tried_three_times(self, server, make_client, action, code):
        server.play(action)
        error = failed(lambda: make_client(server.url).get("op", "/x"))
        assert (error.category, error.code, len(server.requests)) == (ErrorCategory.RETRYABLE, code, 3)

    def test_silence_is_a_timeout(self, server, make_client):
        server.play(silent(0.5))
        error = failed(lambda: make_client(server.url, policy={"read_seconds": 0.1}).get("op", "/x"))
        assert (error.category, error.code, len(server.requests)) == (ErrorCategory.RETRYABLE, "timeout", 3)

    @pytest.mark.parametrize("action", [answer(status=502), answer(b"{"), truncated(), dropped()])
    def test_one_failure_is_hidden(self, server, make_client, action):
        server.play(action, OK)
        assert make_client(server.url).get("op", "/x") == {"ok": True}
        assert len(server.requests) == 2

    @pytest.mark.parametrize(
        ("status", "category"),
        [
            (400, ErrorCategory.PERMANENT),
            (401, ErrorCategory.AUTH),
            (403, ErrorCategory.AUTH),
            (404, ErrorCategory.PERMANENT),
        ],
    )
    def test_a_refusal_is_final(self, server, make_client, status, category):
        server.play(answer({"error": "no"}, status=status))
        error = failed(lambda: make_client(server.url).get("op", "/x"))
        assert (error.category, error.status, len(server.requests)) == (category, status, 1)

    def test_an_unreachable_host_is_retryable(self, make_client):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        error = failed(lambda: make_client(f"http://127.0.0.1:{port}").get("op", "/x"))
        assert (error.category, error.code) == (ErrorCategory.RETRYABLE, "unreachable")

    def test_a_redirect_is_not_followed(self, server, make_client):
        with ScriptedServer(OK) as elsewhere:
            server.play(answer(status=302, headers={"Location": elsewhere.url}))
            error = failed(lambda: make_client(server.url, auth=("token", "")).get("op", "/x"))
            assert (error.category, error.code) == (ErrorCategory.PERMANENT, "redirect_refused")
            assert elsewhere.requests == []


class TestThrottling:
    def test_a_short_retry_after_is_waited_for(self, server, make_client):
        server.play(answer(status=429, headers={"Retry-After": "1"}), OK)
        started = time.monotonic()
        assert make_client(server.url).get("op", "/x") == {"ok": True}
        assert time.monotonic() - started >= 1.0

    def test_a_long_retry_after_is_handed_up(self, server, make_client):
        server.play(answer(status=429, headers={"Retry-After": "120"}))
        error = failed(lambda: make_client(server.url).get("op", "/x"))
        assert (error.category, error.retry_after) == (ErrorCategory.THROTTLED, 120.0)
        assert len(server.requests) == 1

    def test_the_provider_may_say_it_in_another_way(self, server, make_client):
        server.play(answer(status=429, headers={"X-Wait": "7"}))
        client = make_client(server.url, retry_after=lambda headers: float(headers["X-Wait"]))
        assert failed(lambda: client.get("op", "/x")).retry_after == 7.0

    def test_without_retry_after_it_backs_off(self, server, make_client):
        server.play(answer(status=429), OK)
        assert make_client(server.url).get("op", "/x") == {"ok": True}


class TestBounds:
    @pytest.mark.parametrize("action", [dripping(1000, 0.05), dripping_headers(0.05)], ids=["body", "headers"])
    def test_the_deadline_covers_a_trickle(self, server, make_client, action):
        server.play(action)
        started = time.monotonic()
        error = failed(lambda: make_client(server.url, policy={"deadline_seconds": 0.5}).get("op", "/x"))
        assert (error.category, error.code) == (ErrorCategory.RETRYABLE, "timeout")
        assert time.monotonic() - started < 3.0

    def test_the_deadline_covers_all_tries(self, server, make_client):
        server.play(silent(0.6))
        policy = {"deadline_seconds": 0.5, "tries": 100, "read_seconds": 0.1}
        started = time.monotonic()
        assert failed(lambda: make_client(server.url, policy=policy).get("op", "/x")).code == "timeout"
        assert time.monotonic() - started < 3.0

    def test_a_huge_answer_is_cut_off(self, server, make_client):
        server.play(answer(b" " * 200_000))
        error = failed(lambda: make_client(server.url, policy={"max_bytes": 100_000}).get("op", "/x"))
        assert error.code == "answer_too_large"


class TestUnsafeRequests:
    """What may have been carried out is never sent twice."""

    @pytest.mark.parametrize(
        "action", [answer(status=500), answer(status=504), truncated(), dropped(), silent(0.5), answer(b"{")]
    )
    def test_an_unknown_outcome_is_called_so(self, server, make_client, action):
        server.play(action)
        client = make_client(server.url, policy={"read_seconds": 0.3})
        error = failed(lambda: client.call("op", "POST", "/orders", body={"n": 1}))
        assert (error.category, len(server.requests)) == (ErrorCategory.UNKNOWN_OUTCOME, 1)

    def test_a_throttled_one_is_not_repeated(self, server, make_client):
        server.play(answer(status=429))
        error = failed(lambda: make_client(server.url).call("op", "POST", "/orders", body={}))
        assert (error.category, len(server.requests)) == (ErrorCategory.THROTTLED, 1)

    def test_one_that_was_never_sent_is_retryable(self, make_client):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        error = failed(lambda: make_client(f"http://127.0.0.1:{port}").call("op", "POST", "/orders", body={}))
        assert error.category is ErrorCategory.RETRYABLE

    def test_one_whose_time_was_up_before_it_was_sent_is_retryable(self, server, make_client):
        """As on a machine that is overloaded; what left before it, by the same connection, says nothing of it."""
        client = make_client(server.url)
        client.call("op", "POST", "/orders", body={"n": 1})
        policy = CallPolicy(deadline_seconds=0, tries=1)
        error = failed(lambda: client.call("op", "POST", "/orders", body={"n": 2}, policy=policy))
        assert (error.category, error.code) == (ErrorCategory.RETRYABLE, "timeout")
        assert len(server.requests) == 1

    def test_one_whose_time_was_up_while_it_connected_is_retryable(self, make_client):
        with full_queue() as url:
            client = make_client(url, policy={"deadline_seconds": 0.1, "tries": 1})
            error = failed(lambda: client.call("op", "POST", "/orders", body={}))
        assert (error.category, error.code) == (ErrorCategory.RETRYABLE, "timeout")

    @pytest.mark.parametrize("status", [401, 403, 404, 422, 429])
    def test_a_refusal_that_proves_nothing_leaves_it_unknown(self, server, make_client, status):
        def unproven(_status: int, _body: object) -> Verdict:
            return replace(default_verdict(_status, _body), is_proof=False)

        server.play(answer(status=status))
        client = make_client(server.url, classify=unproven)
        error = failed(lambda: client.call("op", "POST", "/orders", body={}))
        assert (error.category, error.status) == (ErrorCategory.UNKNOWN_OUTCOME, status)
        assert failed(lambda: client.get("op", "/orders")).category is not ErrorCategory.UNKNOWN_OUTCOME


class TestPolicyOfACall:
    def test_it_takes_the_place_of_the_clients(self, server, make_client):
        server.play(answer(status=500))
        client = make_client(server.url)
        failed(lambda: client.get("op", "/x", policy=CallPolicy(tries=1)))
        assert len(server.requests) == 1
        server.play(silent(0.6))
        error = failed(lambda: client.call("op", "POST", "/x", policy=CallPolicy(deadline_seconds=0.2, tries=1)))
        assert (error.category, error.code) == (ErrorCategory.UNKNOWN_OUTCOME, "timeout")


class TestTransactions:
    def test_the_test_cases_own_block_does_not_count(self, server, make_client):
        assert make_client(server.url).get("op", "/x") == {"ok": True}

    @pytest.mark.commits
    def test_no_call_inside_a_transaction(self, server, make_client):
        with transaction.atomic(), pytest.raises(CallInsideTransaction):
            make_client(server.url).get("op", "/x")
        assert server.requests == []


class TestWhatIsTold:
    def test_metrics_name_provider_operation_and_outcome(self, server, make_client, provider):
        server.play(answer(status=503), OK)
        make_client(server.url).get("accounts.list", "/x")

        def count(outcome: str) -> float | None:
            labels = {"provider": provider, "operation": "accounts.list", "outcome": outcome}
            return REGISTRY.get_sample_value("finops_provider_calls_total", labels)

        assert (count("retryable"), count("ok")) == (1.0, 1.0)
        labels = {"provider": provider, "operation": "accounts.list"}
        assert REGISTRY.get_sample_value("finops_provider_call_seconds_count", labels) == 2.0

    def test_no_secret_reaches_error_or_log(self, server, make_client, caplog):
        server.play(answer({"error": {"message": "bad token test_tkn_abc"}}, status=403))
        client = make_client(server.url, auth=("test_tkn_abc", ""))
        error = failed(lambda: client.get("op", "/x"))
        told = f"{error} {error.message} {caplog.text} {[vars(record) for record in caplog.records]}"
        assert "provider.call_failed" in told
        assert "test_tkn_abc" not in told
