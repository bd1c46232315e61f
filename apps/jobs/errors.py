"""What a handler may raise, and what staff and clients may be told about a job."""

from django.utils.translation import gettext_lazy as _

from apps.core.errors import DomainError


class RetryLater(Exception):
    """Raised by a handler: try again after `seconds`. It chooses the delay; it still counts as an attempt."""

    def __init__(self, seconds: int, reason: str) -> None:
        super().__init__(reason)
        self.seconds = seconds
        self.reason = reason


class PermanentFailure(Exception):
    """Raised by a handler: trying again cannot help. The job is dead at once."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class LeaseLost(Exception):
    """The lease has expired and the job is someone else's, or no one's: what this worker did must not commit."""


class TimeLimitReached(Exception):
    """Raised in a handler that has taken its kind's `soft_seconds`; told of one that was ended after `hard_seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"the attempt took longer than {seconds} s")


class WorkerLost(Exception):
    """Told to `on_dead`: the last worker that held the job vanished, as every one before it had."""


class JobNotReplayable(DomainError):
    """Only a dead or discarded job can be replayed."""

    code = "job_not_replayable"
    title = _("The job cannot be replayed")


class JobNotDiscardable(DomainError):
    """Only a dead or queued job can be discarded; a running one ends by itself."""

    code = "job_not_discardable"
    title = _("The job cannot be discarded")


class JobAlreadyQueued(DomainError):
    """Another job with the same key is queued or running: it does the same work."""

    code = "job_already_queued"
    title = _("The same work is already queued")
