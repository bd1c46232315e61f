"""What happens to a job after a failed attempt: pure functions."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from apps.core.errors import DomainError, ReadOnly
from apps.core.redaction import redact_text
from apps.jobs.errors import PermanentFailure, RetryLater, TimeLimitReached
from apps.jobs.types import JobKind

READ_ONLY_SECONDS = 30
_MESSAGE_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed attempt's verdict: retry at `run_at`, or dead when that is None; secrets are masked.

    `refunded` gives the attempt back: the platform, not the job, was to blame.
    """

    code: str
    message: str
    run_at: datetime | None
    refunded: bool = False


def backoff(kind: JobKind, *, attempt: int, random: Random) -> timedelta:
    """Return the delay after failed attempt number `attempt` (from 1): exponential with full jitter.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    # The exponent is capped so that a kind with many attempts does not build a number of thousands of digits.
    ceiling = min(kind.backoff_max_seconds, kind.backoff_seconds * 2 ** min(attempt - 1, 32))
    return timedelta(seconds=random.uniform(0, ceiling))


def judge(
    error: Exception, *, kind: JobKind, attempt: int, max_attempts: int, now: datetime, random: Random
) -> Failure:
    """Return the verdict on a handler's exception."""
    code, message = _describe(error)
    if isinstance(error, ReadOnly):
        return Failure(code, message, now + timedelta(seconds=READ_ONLY_SECONDS), refunded=True)
    if isinstance(error, PermanentFailure) or attempt >= max_attempts:
        return Failure(code, message, None)
    if isinstance(error, RetryLater):
        return Failure(code, message, now + timedelta(seconds=error.seconds))
    return Failure(code, message, now + backoff(kind, attempt=attempt, random=random))


def _describe(error: Exception) -> tuple[str, str]:
    match error:
        case PermanentFailure():
            code, message = error.code, error.message
        case RetryLater():
            code, message = "retry_later", error.reason
        case TimeLimitReached():
            code, message = "time_limit", str(error)
        case DomainError():
            code, message = error.code, str(error)
        case _:
            code, message = "unexpected_error", f"{type(error).__name__}: {error}"
    return code, redact_text(message)[:_MESSAGE_LENGTH]
