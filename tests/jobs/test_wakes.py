"""The waker: off the request's path, coalescing, never losing the last request."""

import threading
import time

import pytest
from prometheus_client import REGISTRY

from finops.wakes import Waker

pytestmark = pytest.mark.no_database


def test_a_topic_is_sent_after_each_request_and_bursts_are_coalesced() -> None:
    sent: list[str] = []
    waker = Waker(sent.append)
    for _ in range(500):
        waker.request("jobs:test")
        waker.request("outbox")
    assert waker.flush(5)
    assert set(sent) == {"jobs:test", "outbox"}
    assert len(sent) <= 20


def test_a_request_during_a_send_is_sent_again() -> None:
    sent: list[str] = []
    sending, go_on = threading.Event(), threading.Event()

    def send(topic: str) -> None:
        sent.append(topic)
        sending.set()
        go_on.wait(5)

    waker = Waker(send)
    waker.request("audit")
    assert sending.wait(5)
    waker.request("audit")
    go_on.set()
    assert waker.flush(5)
    assert sent == ["audit", "audit"]


def test_a_dead_broker_costs_the_caller_nothing_and_is_counted() -> None:
    def send(_topic: str) -> None:
        time.sleep(0.3)
        raise ConnectionError

    lost = REGISTRY.get_sample_value("finops_wakes_lost_total", {"topic": "jobs:dead_broker"}) or 0
    waker = Waker(send)
    started = time.perf_counter()
    waker.request("jobs:dead_broker")
    assert time.perf_counter() - started < 0.1
    assert waker.flush(5)
    assert REGISTRY.get_sample_value("finops_wakes_lost_total", {"topic": "jobs:dead_broker"}) == lost + 1
