"""How an endpoint fares is told by its attempts: what fails shows at once, not when it is given up."""

from datetime import datetime, timedelta

import pytest

from apps.core.ids import new_id
from apps.core.scope import staff_scope
from apps.webhooks.models import Endpoint
from apps.webhooks.selectors.records import Attempts, Record, records_of
from tests import databases
from tests.factories.webhooks import answer_due, deliveries_of, make_endpoint, relay

pytestmark = pytest.mark.worker_login

SECOND = timedelta(seconds=1)


def records(database: str, now: datetime, *endpoints: Endpoint) -> list[Record]:
    """Read the records of endpoints as staff does."""
    databases.log_in("web", database)
    with staff_scope():
        found = records_of(endpoints, now=now)
    databases.log_in("worker", database)
    return [found[endpoint.id] for endpoint in endpoints]


def succeed(now: datetime, duration_ms: int) -> None:
    assert answer_due(now, status=200, error="", duration_ms=duration_ms) == 1


def test_who_has_been_sent_nothing_has_an_empty_record(acme, database: str, now: datetime) -> None:
    endpoint = make_endpoint(acme, now=now).endpoint
    assert records(database, now, endpoint) == [Record()]
    assert Record().attempts.share is None


def test_a_receiver_that_fails_shows_at_the_first_attempt(acme, database: str, now: datetime) -> None:
    endpoint = make_endpoint(acme, now=now).endpoint
    relay(acme, now=now)
    answer_due(now, duration_ms=40)
    (record,) = records(database, now, endpoint)
    took = timedelta(milliseconds=40)
    assert record == Record(Attempts(0, 1, 1, took, took, now), given_up=0, pending=1, waiting_since=now)
    assert record.attempts.share == 0


def test_attempts_are_counted_with_their_times_and_the_failures_since_the_last_success(
    acme, globex, database: str, now: datetime
) -> None:
    endpoint, other = make_endpoint(acme, now=now).endpoint, make_endpoint(globex, now=now).endpoint
    for number, duration_ms in enumerate((10, 20, 30)):
        relay(acme, now=now + number * SECOND)
        succeed(now + number * SECOND, duration_ms)
    entity, at = new_id(), now + timedelta(hours=1)
    last = at
    for _ in range(2):
        relay(acme, entity_id=entity, now=at)
    for _ in range(3):
        answer_due(at, duration_ms=15_000)
        last, at = at, deliveries_of(endpoint)[3].next_attempt_at or at
    mine, theirs = records(database, at, endpoint, other)
    assert (mine.attempts.delivered, mine.attempts.failed, mine.attempts.failures_in_a_row) == (3, 3, 3)
    assert (mine.attempts.middle, mine.attempts.slowest) == (timedelta(milliseconds=30), timedelta(seconds=15))
    assert (mine.pending, mine.waiting_since, mine.given_up) == (2, now + timedelta(hours=1), 0)
    assert mine.attempts.last_at == last
    assert theirs == Record()
    # After a success nothing fails any more, and after a day nothing is counted.
    answer_due(at, status=200, error="", duration_ms=5)
    (mine,) = records(database, at, endpoint)
    assert (mine.attempts.delivered, mine.attempts.failed, mine.attempts.failures_in_a_row) == (4, 3, 0)
    (mine,) = records(database, at + timedelta(days=2), endpoint)
    assert (mine.attempts, mine.pending) == (Attempts(), 1)


def test_what_was_given_up_today_is_told_apart(acme, database: str) -> None:
    endpoint = make_endpoint(acme).endpoint
    relay(acme)
    answer_due(status=410, error="gone")
    (delivery,) = deliveries_of(endpoint)
    assert delivery.finished_at is not None
    (record,) = records(database, delivery.finished_at, endpoint)
    assert (record.given_up, record.pending, record.waiting_since) == (1, 0, None)
