"""Teller's webhooks: signed, sent to loopback only, on command and by themselves."""

import hashlib
import hmac
import json
import time
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import Bank, Receiver
from tests.sandbox_process import SandboxProcess
from tests.waiting import wait_until

pytestmark = pytest.mark.no_database
DAY = 86_400
REASONS = ("account_locked", "credentials_invalid")


def verify(headers: dict[str, str], raw: bytes, secret: str) -> int:
    """Return the signature's time after checking that one v1 of it is ours."""
    timestamp, *signatures = [part.partition("=") for part in headers["Teller-Signature"].split(",")]
    expected = hmac.new(secret.encode(), f"{timestamp[2]}.".encode() + raw, hashlib.sha256).hexdigest()
    assert ("v1", "=", expected) in signatures
    return int(timestamp[2])


def test_a_webhook_on_command_is_signed_with_every_secret(sandbox: SandboxProcess, receiver: Receiver) -> None:
    payload = {"enrollment_id": "enr_x", "reason": "disconnected.account_locked"}
    body = {"url": receiver.url, "secret": ["new", "old"], "type": "enrollment.disconnected", "payload": payload}
    sent = sandbox.control("POST", "/teller/webhooks", **body)
    assert (sent["status"], sent["error"]) == (200, None)
    ((headers, raw),) = receiver.received
    event = json.loads(raw)
    assert set(event) == {"id", "payload", "timestamp", "type"}
    assert (event["type"], event["payload"]) == ("enrollment.disconnected", payload)
    assert abs(verify(headers, raw, "new") - time.time()) < 5
    verify(headers, raw, "old")


def test_a_signature_can_be_old(sandbox: SandboxProcess, receiver: Receiver) -> None:
    body = {"url": receiver.url, "secret": "s", "type": "webhook.test", "age_seconds": 600}
    sandbox.control("POST", "/teller/webhooks", **body)
    headers, raw = receiver.received[0]
    assert verify(headers, raw, "s") == pytest.approx(time.time() - 600, abs=5)
    assert json.loads(raw)["payload"] == {}


def test_an_answer_that_never_comes_is_told(sandbox: SandboxProcess, receiver: Receiver) -> None:
    receiver.close()
    sent = sandbox.control("POST", "/teller/webhooks", url=receiver.url, secret="s", type="webhook.test")
    assert sent["status"] is None
    assert "Cannot connect" in sent["error"]
    receiver.__init__()  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "http://192.0.2.1/hook"}, "url"),
        ({"url": "http://example.com/"}, "url"),
        ({"url": "http://localhost.example.com/"}, "url"),
        ({"url": "ftp://127.0.0.1/"}, "url"),
        ({"url": "http://[::1"}, "url"),
        ({"url": None}, "url"),
        ({"secret": ""}, "secret"),
        ({"secret": []}, "secret"),
        ({"type": "account.closed"}, "type"),
        ({"payload": []}, "payload"),
    ],
)
def test_a_webhook_that_may_not_be_is_a_400(sandbox: SandboxProcess, change: dict[str, Any], field: str) -> None:
    body = {"url": "http://127.0.0.1:9/", "secret": "s", "type": "webhook.test", **change}
    answer = httpx.post(f"{sandbox.url}/_control/teller/webhooks", verify=False, json=body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)


def test_a_target_hears_of_processed_transactions_once(
    own_sandbox: SandboxProcess, own_bank: Bank, receiver: Receiver
) -> None:
    own_sandbox.control("POST", "/clock", running=False)
    client, other = own_bank("told"), own_bank("other")
    target = {"url": receiver.url, "secret": "s", "token": client.token}
    own_sandbox.control("POST", "/teller/webhooks", **target)
    other.steer(other.account(), "add", amount="-1.00")
    row = client.steer(client.account(), "add", amount="-7.00")
    (event,) = receiver.wait_for(1)
    assert event["type"] == "transactions.processed"
    assert event["payload"] == {"enrollment_id": client.state()["enrollment_id"], "transactions": [row]}
    verify(*receiver.received[0], "s")

    # Killed before it has noted that the receiver took it, it would tell it again.
    wait_until(lambda: '"told"' in (own_sandbox.folder / "journal.jsonl").read_text(), what="noted as told")
    own_sandbox.stop(kill=True)
    own_sandbox.start()
    own_sandbox.advance(DAY)
    events = receiver.wait_for(2)
    rows = [row["id"] for event in events for row in event["payload"]["transactions"]]
    assert len(rows) == len(set(rows)) > 3


def test_a_refused_delivery_is_tried_again(own_sandbox: SandboxProcess, own_bank: Bank, receiver: Receiver) -> None:
    receiver.answers = [500]
    client = own_bank("retry")
    own_sandbox.control("POST", "/teller/webhooks", url=receiver.url, secret="s")
    client.steer(client.account(), "add", amount="-7.00")
    first, second = receiver.wait_for(2)[:2]
    assert first == second


class TestFaults:
    """Faults on webhooks: what arrives of two events, the first of which the fault acts on."""

    @pytest.mark.parametrize(
        ("kind", "arrives"),
        [
            ("duplicate", [0, 0, 1]),
            ("reorder", [1, 0]),
            ("delay:300", [1, 0]),
            ("drop_response", [0, 0, 1]),
            ("malformed", [0, 0, 1]),
        ],
    )
    def test_what_arrives(
        self, sandbox: SandboxProcess, bank: Bank, receiver: Receiver, kind: str, arrives: list[int]
    ) -> None:
        receiver.answers = [400] if kind == "malformed" else []
        client = bank(f"hooks-{kind.partition(':')[0]}")
        sandbox.control("POST", "/teller/webhooks", url=receiver.url, secret="s", token=client.token)
        sandbox.fault(kind, count=1, match="WEBHOOK enrollment")
        sandbox.fault("status:500", match="")  # acts on no webhook
        for reason in REASONS:
            sandbox.control("POST", "/teller/enrollment", token=client.token, status="disconnected", reason=reason)
        receiver.wait_until(len(arrives))
        sandbox.control("DELETE", "/teller/webhooks")
        raw = [body for _headers, body in receiver.received]
        whole = [body for body in raw if body.endswith(b"}")]
        events = {json.loads(body)["payload"]["reason"].partition(".")[2]: body for body in whole}
        expected = [events[REASONS[place]] for place in arrives]
        if kind == "malformed":
            expected[0] = expected[0][: len(expected[0]) // 2]
        assert raw == expected
        for headers, body in receiver.received[kind == "malformed" :]:
            verify(headers, body, "s")


def test_a_target_hears_of_a_disconnected_enrolment(
    own_sandbox: SandboxProcess, own_bank: Bank, receiver: Receiver
) -> None:
    client = own_bank("lost")
    own_sandbox.control("POST", "/teller/webhooks", url=receiver.url, secret="s")
    body = {"token": client.token, "status": "disconnected", "reason": "account_locked"}
    enrollment = own_sandbox.control("POST", "/teller/enrollment", **body)["enrollment_id"]
    (event,) = receiver.wait_for(1)
    assert event["type"] == "enrollment.disconnected"
    assert event["payload"] == {"enrollment_id": enrollment, "reason": "disconnected.account_locked"}
    # It is heard a moment before its answer is noted.
    deadline = time.monotonic() + 10
    while not (listed := own_sandbox.control("GET", "/teller/webhooks"))["deliveries"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert [target["url"] for target in listed["targets"]] == [receiver.url]
    assert [delivery["status"] for delivery in listed["deliveries"]] == [200]
    assert own_sandbox.control("DELETE", "/teller/webhooks") == {"cleared": 1}
