"""The process's sender: started by the first poke, woken by others, stopped with its work settled."""

import threading
import time
from collections.abc import Iterator

import pytest

from apps.webhooks.sending import Station
from tests.factories.webhooks import make_endpoint, relay, statuses_of
from tests.waiting import wait_until
from tests.webhooks.receiver import Answer, Receiver

pytestmark = pytest.mark.worker_login


@pytest.fixture
def station() -> Iterator[Station]:
    station = Station(stopping=lambda: False)
    yield station
    station.stop(5)


def senders() -> int:
    return sum(thread.name == "webhooks-sender" for thread in threading.enumerate())


def test_a_poke_sends_what_is_due_and_returns_at_once(acme, station: Station) -> None:
    with Receiver(Answer(delay=1.0)) as receiver:
        endpoint = make_endpoint(acme, receiver.url).endpoint
        relay(acme)
        started = time.monotonic()
        station.poke()
        assert time.monotonic() - started < 0.5
        wait_until(lambda: statuses_of(endpoint) == ["succeeded"], what="the delivery")
    assert len(receiver.received) == 1


def test_a_hundred_pokes_are_one_sender(acme, station: Station) -> None:
    with Receiver() as receiver:
        endpoint = make_endpoint(acme, receiver.url).endpoint
        for _ in range(100):
            station.poke()
        assert senders() == 1
        relay(acme)
        station.poke()
        wait_until(lambda: statuses_of(endpoint) == ["succeeded"], what="the delivery")
    assert len(receiver.received) == 1


def test_what_nobody_poked_for_is_found_within_seconds(acme, station: Station) -> None:
    with Receiver() as receiver:
        endpoint = make_endpoint(acme, receiver.url).endpoint
        station.poke()
        time.sleep(0.5)
        relay(acme)
        wait_until(lambda: statuses_of(endpoint) == ["succeeded"], what="the delivery")
    assert len(receiver.received) == 1


def test_stopping_waits_for_what_is_on_the_wire_and_claims_nothing_more(acme, station: Station) -> None:
    with Receiver(Answer(delay=1.0)) as receiver:
        endpoint = make_endpoint(acme, receiver.url).endpoint
        for _ in range(4):
            relay(acme)
        station.poke()
        wait_until(lambda: len(receiver.received) == 2, what="two requests on the wire")
        station.stop()
        assert sorted(statuses_of(endpoint)) == ["pending", "pending", "succeeded", "succeeded"]
        assert senders() == 0
        station.poke()
        assert senders() == 0
    assert len(receiver.received) == 2


def test_a_sender_that_failed_is_replaced(acme) -> None:
    broken = True

    def stopping() -> bool:
        if broken and threading.current_thread().name == "webhooks-sender":
            raise ZeroDivisionError
        return False

    station = Station(stopping)
    with Receiver() as receiver:
        endpoint = make_endpoint(acme, receiver.url).endpoint
        relay(acme)
        station.poke()
        wait_until(lambda: senders() == 0, what="the end of the first sender")
        assert receiver.received == []
        broken = False
        station.poke()
        wait_until(lambda: statuses_of(endpoint) == ["succeeded"], what="the delivery")
        station.stop(5)
