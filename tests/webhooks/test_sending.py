"""A delivery on the wire: what a receiver gets, and what becomes of what it answers."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection
from standardwebhooks import Webhook, WebhookVerificationError

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.ids import new_id
from apps.core.scope import tenant_scope
from apps.incidents.models import Incident
from apps.outbox.catalogue import example
from apps.outbox.services import relay_events
from apps.webhooks.models import DeliveryAttempt, Endpoint
from apps.webhooks.sending import Sender
from apps.webhooks.services import rotate_secret, send_test_event
from tests.factories.outbox import make_event
from tests.factories.webhooks import (
    attempts_of,
    deliveries_of,
    make_endpoint,
    relay,
    send_due,
    statuses_of,
    stored_endpoint,
)
from tests.name_server import NameServer
from tests.webhooks.receiver import Answer, Received, Receiver

pytestmark = pytest.mark.worker_login


def only_attempt(endpoint: Endpoint) -> DeliveryAttempt:
    (delivery,) = deliveries_of(endpoint)
    (attempt,) = attempts_of(delivery)
    return attempt


def test_a_delivery_is_signed_as_standard_webhooks_says(acme) -> None:
    with Receiver() as receiver:
        made = make_endpoint(acme, receiver.url)
        at = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
        event_id = relay(acme, type="order.filled", data={"client_order_id": "grüß"}, now=at)
        before = clock.now()
        assert send_due() == 1
    (received,) = receiver.received
    (delivery,) = deliveries_of(made.endpoint)
    assert Webhook(made.secret).verify(received.body, dict(received.headers)) == {
        "type": "order.filled",
        "timestamp": "2026-03-02T12:00:00.123456Z",
        "data": {**example("order.filled"), "client_order_id": "grüß"},
    }
    assert received.path == "/hook"
    assert received.headers["Content-Type"] == "application/json"
    assert (received.headers["User-Agent"], received.headers["finops-version"]) == ("finops", "2026-11-22")
    assert received.headers["webhook-id"] == str(delivery.id)
    assert int(before.timestamp()) <= int(received.headers["webhook-timestamp"]) <= int(clock.now().timestamp())
    assert (received.headers["finops-sequence"], received.headers["finops-previous-id"]) == ("1", "")
    assert b" " not in received.body
    assert (delivery.status, delivery.event_id, delivery.event_type) == ("succeeded", event_id, "order.filled")
    assert (delivery.attempt_count, delivery.next_attempt_at, delivery.leased_until) == (1, None, None)
    attempt = only_attempt(made.endpoint)
    assert (attempt.status_code, attempt.error, attempt.response_excerpt) == (200, "", "ok")
    assert 0 <= attempt.duration_ms < 5_000
    assert before <= attempt.at <= clock.now()


def test_the_delivery_before_is_named(acme) -> None:
    with Receiver() as receiver:
        made = make_endpoint(acme, receiver.url)
        for _ in range(3):
            relay(acme)
        assert send_due() == 3
    received = sorted(receiver.received, key=lambda one: one.sequence)
    assert [one.sequence for one in received] == [1, 2, 3]
    assert [one.headers["finops-previous-id"] for one in received] == ["", received[0].id, received[1].id]
    assert [str(delivery.id) for delivery in deliveries_of(made.endpoint)] == [one.id for one in received]


def test_a_test_event_arrives_whatever_is_subscribed(acme) -> None:
    with Receiver() as receiver:
        made = make_endpoint(acme, receiver.url, event_types=["transaction.removed"])
        actor = system_actor("tests", tenant_id=acme.id)
        delivery = send_test_event(endpoint_id=made.endpoint.id, actor=actor, now=clock.now())
        send_due()
    (received,) = receiver.received
    content = Webhook(made.secret).verify(received.body, dict(received.headers))
    assert (content["type"], content["data"]["endpoint_id"]) == ("webhook.test", str(made.endpoint.id))
    assert (received.id, statuses_of(made.endpoint)) == (str(delivery.id), ["succeeded"])


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_2xx_is_a_success(acme, status: int) -> None:
    with Receiver(Answer(status, b"")) as receiver:
        endpoint = make_endpoint(acme, receiver.url).endpoint
        relay(acme)
        send_due()
    assert statuses_of(endpoint) == ["succeeded"]
    assert only_attempt(endpoint).status_code == status


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(400), "http_error"),
        (Answer(404), "http_error"),
        (Answer(500), "http_error"),
        (Answer(503), "http_error"),
        (Answer(301, headers={"Location": "/elsewhere"}), "redirect_refused"),
        (Answer(307, headers={"Location": "/elsewhere"}), "redirect_refused"),
        (Answer(304, b""), "redirect_refused"),
    ],
)
def test_everything_else_is_tried_again_after_five_seconds(acme, answer: Answer, error: str, now: datetime) -> None:
    with Receiver(answer) as receiver:
        endpoint = make_endpoint(acme, receiver.url, now=now).endpoint
        relay(acme, now=now)
        send_due(now)
        assert send_due(now + timedelta(seconds=3)) == 0
    (delivery,) = deliveries_of(endpoint)
    assert (delivery.status, delivery.attempt_count) == ("pending", 1)
    assert delivery.next_attempt_at is not None
    assert 4 <= (delivery.next_attempt_at - now).total_seconds() < 8
    attempt = only_attempt(endpoint)
    assert (attempt.status_code, attempt.error, attempt.at) == (answer.status, error, now)
    assert [received.path for received in receiver.received] == ["/hook"]


def test_each_attempt_has_the_same_id_and_bytes_and_its_own_time(acme, now: datetime) -> None:
    with Receiver(Answer(500)) as receiver:
        made = make_endpoint(acme, receiver.url, now=now)
        relay(acme, now=now)
        moments = [now, now + timedelta(seconds=10), now + timedelta(minutes=10)]
        for at in moments[:2]:
            send_due(at)
        receiver.answer = Answer(200)
        send_due(moments[2])
    assert len({received.id for received in receiver.received}) == 1
    assert len({received.body for received in receiver.received}) == 1
    stamps = [int(received.headers["webhook-timestamp"]) for received in receiver.received]
    assert stamps == [int(at.timestamp()) for at in moments]
    assert len({received.headers["webhook-signature"] for received in receiver.received}) == 3
    (delivery,) = deliveries_of(made.endpoint)
    assert (delivery.status, delivery.attempt_count) == ("succeeded", 3)
    assert [attempt.status_code for attempt in attempts_of(delivery)] == [500, 500, 200]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120), ("Mon, 02 Mar 2026 12:02:00 GMT", 120), ("86400", 36_000), ("1", 5), ("soon", 5)],
)
def test_a_receiver_can_ask_for_more_time(acme, now: datetime, value: str, seconds: int) -> None:
    with Receiver(Answer(429, headers={"Retry-After": value})) as receiver:
        endpoint = make_endpoint(acme, receiver.url, now=now).endpoint
        relay(acme, now=now)
        send_due(now)
    (delivery,) = deliveries_of(endpoint)
    assert delivery.next_attempt_at is not None
    attempt = only_attempt(endpoint)
    pause = (delivery.next_attempt_at - now).total_seconds() - attempt.duration_ms / 1000
    assert pause == pytest.approx(seconds, abs=1.0 if seconds == 5 else 0.001)


def test_who_answers_410_is_disabled(acme) -> None:
    with Receiver(Answer(410)) as receiver:
        endpoint = make_endpoint(acme, receiver.url).endpoint
        entity = new_id()
        for _ in range(2):
            relay(acme, entity_id=entity)
        send_due()
        relay(acme)
        assert send_due() == 0
    assert len(receiver.received) == 1
    stored = stored_endpoint(endpoint)
    assert (stored.status, stored.disabled_reason) == ("disabled", "gone")
    assert statuses_of(endpoint) == ["failed", "discarded"]
    assert attempts_of(deliveries_of(endpoint)[0])[0].error == "gone"
    with tenant_scope(acme.id):
        assert Incident.objects.get(kind="webhook_endpoint.disabled").target_id == endpoint.id


def test_many_that_are_gone_hold_up_nobody_and_are_asked_no_more(acme, globex) -> None:
    """Each is disabled in a transaction of its own, a few a turn; those that wait for theirs get nothing meanwhile."""
    with Receiver(Answer(410)) as gone, Receiver() as healthy:
        endpoints = [make_endpoint(acme, gone.url).endpoint for _ in range(12)]
        for _ in range(3):
            make_event(acme.id)
        quick = make_endpoint(globex, healthy.url).endpoint
        relay(globex)
        send_due()
    assert {stored_endpoint(endpoint).disabled_reason for endpoint in endpoints} == {"gone"}
    assert statuses_of(quick) == ["succeeded"]
    # Two were on the wire before the first answer; the third was never sent.
    assert len(gone.received) == 24
    assert {status for endpoint in endpoints for status in statuses_of(endpoint)} == {"failed", "discarded"}


def test_who_does_not_answer_in_time_has_failed(acme) -> None:
    with Receiver(Answer(delay=5)) as receiver:
        endpoint = make_endpoint(acme, receiver.url).endpoint
        relay(acme)
        send_due(timeout_seconds=0.3)
    attempt = only_attempt(endpoint)
    assert (attempt.status_code, attempt.error, attempt.response_excerpt) == (None, "timeout", "")
    assert 250 <= attempt.duration_ms < 3_000
    assert statuses_of(endpoint) == ["pending"]


def test_nobody_there(acme) -> None:
    endpoint = make_endpoint(acme, "http://127.0.0.1:9/hook").endpoint
    relay(acme)
    send_due()
    assert (only_attempt(endpoint).error, statuses_of(endpoint)) == ("connection_failed", ["pending"])


def test_a_name_that_does_not_resolve(acme) -> None:
    endpoint = make_endpoint(acme, "https://nowhere.invalid/hook").endpoint
    relay(acme)
    send_due()
    assert (only_attempt(endpoint).error, statuses_of(endpoint)) == ("name_not_resolved", ["pending"])


def test_a_server_without_tls(acme) -> None:
    with Receiver() as receiver:
        endpoint = make_endpoint(acme, receiver.url.replace("http://", "https://")).endpoint
        relay(acme)
        send_due()
    assert receiver.received == []
    assert (only_attempt(endpoint).error, statuses_of(endpoint)) == ("tls_failed", ["pending"])


@contextmanager
def answering_bytes(answer: bytes) -> Iterator[int]:
    """Answer one connection on the port with these bytes, and close it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            accepted, _address = server.accept()
            with accepted:
                accepted.recv(65_536)
                accepted.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


@pytest.mark.parametrize(
    ("answer", "error", "status"),
    [
        (b"", "connection_failed", None),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "malformed_answer", None),
        (b"HTTP/1.1 abc\r\n\r\n", "malformed_answer", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart", "", 200),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", "", 204),
        (b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "", 204),
        (b"HTTP/1.1 204 No Content\r\n\r\nhello", "", 204),
        (b"HTTP/1.1 205 Reset\r\nContent-Length: 5\r\n\r\nhello", "", 205),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n", "", 200),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\nhello", "", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhello", "", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", "", 200),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "", 200),
        (b"HTTP/1.1 200 OK\nServer: old\n\nhello", "", 200),
        (b"HTTP/1.0 200\r\n\r\nhello", "", 200),
        (b"HTTP/1.1 500 No\r\nContent-Length: abc\r\n\r\n", "http_error", 500),
        (b"HTTP/1.1 410 Gone\r\nno colon\r\n\r\n", "gone", 410),
        (b"HTTP/1.1 503 No\r\nRetry-After: Mon, 02 Mar 99999999999999999999 12:00:00 GMT\r\n\r\n", "http_error", 503),
        (b"HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\npart", "http_error", 500),
    ],
)
def test_broken_answers(acme, answer: bytes, error: str, status: int | None) -> None:
    """Once the status is there it stands: the receiver has had its say."""
    with answering_bytes(answer) as port:
        endpoint = make_endpoint(acme, f"http://127.0.0.1:{port}/hook").endpoint
        relay(acme)
        send_due()
    attempt = only_attempt(endpoint)
    assert (attempt.error, attempt.status_code) == (error, status)


def test_an_address_that_is_refused_by_now_gets_nothing(acme, monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as receiver:
        endpoint = make_endpoint(acme, receiver.url).endpoint
        relay(acme)
        monkeypatch.setattr(settings, "EGRESS_ALLOW_LOOPBACK", False)
        send_due()
    assert receiver.received == []
    assert (only_attempt(endpoint).error, statuses_of(endpoint)) == ("address_refused", ["pending"])


def test_a_name_that_has_come_to_lead_here_gets_nothing(acme, monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks public resolves to this machine: the answer is checked at the socket, not the name."""
    with Receiver() as receiver, NameServer({"rebinding.example.com": ["127.0.0.1"]}) as server:
        port = receiver.url.split(":")[2].split("/")[0]
        endpoint = make_endpoint(acme, f"https://rebinding.example.com:{port}/hook").endpoint
        relay(acme)
        monkeypatch.setattr(settings, "EGRESS_ALLOW_LOOPBACK", False)
        monkeypatch.setattr(settings, "EGRESS_NAME_SERVERS", [server.place])
        send_due()
    assert receiver.received == []
    assert only_attempt(endpoint).error == "address_refused"


def test_a_name_that_hangs_costs_nobody_else_an_attempt(acme, globex, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than threads would do for; what hangs is that endpoint's failure, and is tried again."""
    hosts = [f"hook-{number}.example.com" for number in range(70)]
    with Receiver() as receiver, NameServer(dict.fromkeys(hosts)) as server:
        monkeypatch.setattr(settings, "EGRESS_NAME_SERVERS", [server.place])
        hanging = [make_endpoint(acme, f"https://{host}/hook").endpoint for host in hosts]
        healthy = make_endpoint(globex, receiver.url.replace("127.0.0.1", "localhost")).endpoint
        relay(acme)
        relay(globex)
        assert send_due(look_up_seconds=0.5) == 71
    assert statuses_of(healthy) == ["succeeded"]
    assert {only_attempt(endpoint).error for endpoint in hanging} == {"name_not_resolved"}
    assert {status for endpoint in hanging for status in statuses_of(endpoint)} == {"pending"}


def test_during_its_grace_the_old_secret_signs_too(acme) -> None:
    with Receiver() as receiver:
        made = make_endpoint(acme, receiver.url)
        actor = system_actor("tests", tenant_id=acme.id)
        at = clock.now()
        _endpoint, new = rotate_secret(endpoint_id=made.endpoint.id, grace_seconds=60, actor=actor, now=at)
        relay(acme)
        send_due()
        relay(acme, now=at + timedelta(seconds=61))
        send_due(at + timedelta(seconds=61))
    during, after = receiver.received
    assert [part[:3] for part in during.headers["webhook-signature"].split(" ")] == ["v1,", "v1,"]
    for secret in (made.secret, new):
        Webhook(secret).verify(during.body, dict(during.headers))
    Webhook(new).verify(after.body, dict(after.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(made.secret).verify(after.body, dict(after.headers))


def test_a_secret_that_cannot_be_opened_sends_nothing(acme, monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as receiver:
        endpoint = make_endpoint(acme, receiver.url).endpoint
        relay(acme)
        monkeypatch.setattr(settings, "FIELD_KEYS", settings.TOKEN_KEYS)
        send_due()
    assert receiver.received == []
    assert (only_attempt(endpoint).error, statuses_of(endpoint)) == ("secret_unreadable", ["pending"])


def test_the_events_of_an_entity_arrive_in_their_order_one_by_one(acme) -> None:
    entities = [new_id() for _ in range(5)]
    with Receiver(Answer(delay=0.005)) as receiver:
        endpoint = make_endpoint(acme, receiver.url).endpoint
        for number in range(40):
            make_event(acme.id, entity_id=entities[number % 5], data={"client_order_id": f"{number % 5}.{number}"})
        relay_events(now=clock.now())
        assert send_due() == 40
    arrived = [json.loads(received.body)["data"]["client_order_id"].split(".") for received in receiver.received]
    for entity in range(5):
        names = [int(name) for of, name in arrived if of == str(entity)]
        assert names == list(range(entity, 40, 5))
    assert statuses_of(endpoint) == ["succeeded"] * 40
    assert receiver.most_at_once <= 5


def test_an_endpoint_that_hangs_holds_up_nobody(acme, globex) -> None:
    """Twenty hanging endpoints and one that answers: its hundred deliveries are there while the others still hang."""
    with Receiver() as healthy, ExitStack() as hangs:
        hanging = hangs.enter_context(Receiver(Answer(delay=60)))
        for _ in range(20):
            make_endpoint(acme, hanging.url)
        quick = make_endpoint(globex, healthy.url).endpoint
        for _ in range(2):
            make_event(acme.id)
        for _ in range(100):
            make_event(globex.id)
        relay_events(now=clock.now())

        async def send_and_hang_up() -> None:
            sending = asyncio.create_task(Sender(timeout_seconds=60.0).run(until_idle=True))
            async with asyncio.timeout(30):
                while len(healthy.received) < 100 or hanging.at_once < 40:
                    await asyncio.sleep(0.01)
            await asyncio.to_thread(hangs.close)
            await sending

        asyncio.run(send_and_hang_up())
    assert len(healthy.received) == 100
    assert statuses_of(quick) == ["succeeded"] * 100
    assert hanging.most_at_once == 40


def test_a_tenant_whose_endpoints_all_hang_leaves_slots_to_the_others(acme, globex) -> None:
    """Half as many endpoints again as there are slots: the other tenant's deliveries do not wait for a time-out."""
    with Receiver(Answer(delay=30)) as hanging, Receiver() as healthy:
        endpoints = [make_endpoint(acme, hanging.url).endpoint for _ in range(60)]
        quick = make_endpoint(globex, healthy.url).endpoint
        relay(acme)
        waiting: list[int] = []

        async def both() -> None:
            sender = Sender(timeout_seconds=2.0, most_in_flight=40)
            sending = asyncio.create_task(sender.run(stopping=lambda: len(healthy.received) == 30))
            while hanging.at_once < 20:
                await asyncio.sleep(0.01)
            await asyncio.get_running_loop().run_in_executor(None, _relay_and_close, globex, 30)
            sender.poke()
            started = time.monotonic()
            while len(healthy.received) < 30:
                await asyncio.sleep(0.01)
            waiting.append(round(time.monotonic() - started))
            await sending

        asyncio.run(asyncio.wait_for(both(), 20))
    assert (statuses_of(quick), waiting[0] < 2) == (["succeeded"] * 30, True)
    assert hanging.most_at_once == 20
    deliveries = [delivery for endpoint in endpoints for delivery in deliveries_of(endpoint)]
    # What found no slot has lost no attempt and has no lease.
    assert sorted((one.attempt_count, one.fence) for one in deliveries) == [(0, 0)] * 40 + [(1, 2)] * 20


def test_what_comes_while_something_hangs_is_sent_at_once(acme, globex) -> None:
    with Receiver(Answer(delay=30)) as hanging, Receiver() as healthy:
        make_endpoint(acme, hanging.url)
        make_endpoint(globex, healthy.url)
        relay(acme)
        sent_at: list[float] = []

        async def both() -> None:
            sender = Sender(timeout_seconds=2.0)
            sending = asyncio.create_task(sender.run(until_idle=True))
            await asyncio.sleep(0.7)
            await asyncio.get_running_loop().run_in_executor(None, _relay_and_close, globex)
            sent_at.append(time.monotonic())
            sender.poke()
            await sending

        asyncio.run(both())
    (received,) = healthy.received
    assert received.at - sent_at[0] < 0.5


def _relay_and_close(tenant, count: int = 1) -> None:
    for _ in range(count):
        make_event(tenant.id)
    relay_events(now=clock.now())
    connection.close()


def test_a_sender_that_is_told_to_stop_settles_what_is_on_the_wire(acme) -> None:
    with Receiver(Answer(delay=0.4)) as receiver:
        endpoint = make_endpoint(acme, receiver.url).endpoint
        for _ in range(5):
            relay(acme)
        asyncio.run(Sender().run(stopping=lambda: bool(receiver.received)))
    assert len(receiver.received) == 2
    assert sorted(statuses_of(endpoint)) == ["pending"] * 3 + ["succeeded"] * 2


def test_what_a_receiver_does_meanwhile_reaches_it_in_order(acme) -> None:
    """A failure in the middle of a lane holds the rest of it back, and nothing else."""
    entity, refused = new_id(), new_id()
    answers: list[str] = []

    def answer(received: Received) -> Answer:
        answers.append(json.loads(received.body)["data"]["client_order_id"])
        return Answer(500 if answers[-1] == "second" and answers.count("second") == 1 else 200)

    with Receiver(answer) as receiver:
        endpoint = make_endpoint(acme, receiver.url).endpoint
        for name, of in (("first", entity), ("second", entity), ("third", entity), ("other", refused)):
            make_event(acme.id, entity_id=of, data={"client_order_id": name})
        at = clock.now()
        relay_events(now=at)
        send_due(at)
        assert sorted(answers) == ["first", "other", "second"]
        send_due(at + timedelta(seconds=10))
    assert answers[3:] == ["second", "third"]
    assert statuses_of(endpoint) == ["succeeded"] * 4
