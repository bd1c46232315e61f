"""What follows a failed attempt."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from apps.core.errors import NotFound, ReadOnly
from apps.jobs.backoff import Failure, backoff, judge
from apps.jobs.errors import PermanentFailure, RetryLater
from apps.jobs.types import JobKind

pytestmark = pytest.mark.no_database

KIND = JobKind("test.backoff", queue="test", backoff_seconds=5, backoff_max_seconds=60)
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class Extreme(Random):
    """Always the top of the range."""

    def uniform(self, a: float, b: float) -> float:
        return b


def _judge(error: Exception, *, attempt: int = 1, max_attempts: int = 5) -> Failure:
    return judge(error, kind=KIND, attempt=attempt, max_attempts=max_attempts, now=NOW, random=Extreme())


@pytest.mark.parametrize(("attempt", "ceiling"), [(1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (6, 60), (5000, 60)])
def test_the_delay_is_anywhere_from_zero_to_a_doubling_ceiling(attempt: int, ceiling: int) -> None:
    assert backoff(KIND, attempt=attempt, random=Extreme()) == timedelta(seconds=ceiling)
    random = Random(7)
    delays = [backoff(KIND, attempt=attempt, random=random).total_seconds() for _ in range(2000)]
    assert min(delays) < ceiling * 0.01
    assert ceiling * 0.99 < max(delays) <= ceiling
    assert abs(sum(delays) / 2000 - ceiling / 2) < ceiling * 0.03


def test_the_same_seed_gives_the_same_delays() -> None:
    first, second = ([backoff(KIND, attempt=3, random=random) for _ in range(5)] for random in (Random(1), Random(1)))
    assert first == second


def test_an_unexpected_error_is_retried_with_backoff_and_says_its_type() -> None:
    assert _judge(ValueError("no such row"), attempt=2) == Failure(
        "unexpected_error", "ValueError: no such row", NOW + timedelta(seconds=10)
    )


def test_a_refusal_of_a_service_keeps_its_code() -> None:
    assert _judge(NotFound()) == Failure("not_found", "Not found", NOW + timedelta(seconds=5))


def test_the_last_attempt_is_death() -> None:
    assert _judge(ValueError("again"), attempt=5) == Failure("unexpected_error", "ValueError: again", None)
    assert _judge(RetryLater(9, "busy"), attempt=5) == Failure("retry_later", "busy", None)


def test_a_permanent_failure_is_death_at_once() -> None:
    assert _judge(PermanentFailure("credentials_refused", "The bank refused.")) == Failure(
        "credentials_refused", "The bank refused.", None
    )


def test_the_handler_may_choose_the_delay() -> None:
    assert _judge(RetryLater(90, "throttled")) == Failure("retry_later", "throttled", NOW + timedelta(seconds=90))


def test_a_read_only_platform_costs_no_attempt_even_the_last() -> None:
    assert _judge(ReadOnly("maintenance"), attempt=5) == Failure(
        "read_only", "maintenance", NOW + timedelta(seconds=30), refunded=True
    )


def test_secrets_do_not_reach_the_message() -> None:
    failure = _judge(RuntimeError("401 for Bearer abcdef.ghijkl.mnopqr with whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    assert failure.message == "RuntimeError: 401 for Bearer [redacted] with [redacted]"
