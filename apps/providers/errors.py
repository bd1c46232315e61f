"""What the services of this room refuse, and how a call to a provider fails."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.core.errors import DomainError
from apps.providers.enums import ErrorCategory


class ConnectionDisabled(DomainError):
    """The connection was deleted: its credentials are gone and it cannot be synchronised again."""

    code = "connection_disabled"
    status = 409
    title = _("The connection is disabled")


class ConnectionInUse(DomainError):
    """Something that cannot go on without the connection is under way; `open_orders` counts its orders.

    They would stand at the venue where nobody could cancel them. Cancel them, wait until they have ended, try again.
    """

    code = "connection_in_use"
    status = 409
    title = _("The connection is in use")


class ProviderUnavailable(DomainError):
    """The provider's adapter is switched off on this installation; `GET /providers` gives the reason."""

    code = "provider_unavailable"
    status = 409
    title = _("The provider is not available")


class SyncRunClosed(Exception):
    """The run has ended or another run of its connection has taken its place: there is nothing left to do for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncFailure:
    """Why a run failed, readable by clients and staff.

    `needs_attention`: no retry helps until a person acts. `retry_after`: seconds that the provider, or the
    breaker before it, asks us to wait; None leaves it to the job's backoff.
    """

    code: str
    message: str
    needs_attention: bool = False
    permanent: bool = False
    retry_after: float | None = None


class ProviderError(Exception):
    """A call to a provider that failed, classified.

    `code` is ours and stable, `message` is for people and carries no secret. `status` is the HTTP status, None
    where there was no answer. `retry_after` is in seconds.
    """

    def __init__(
        self,
        *,
        provider: str,
        operation: str,
        category: ErrorCategory,
        code: str,
        message: str | Promise,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{provider} {operation}: {category} {code}")
        self.provider, self.operation = provider, operation
        self.category, self.code, self.message = category, code, str(message)
        self.status, self.retry_after = status, retry_after

    def as_failure(self) -> SyncFailure:
        """Return the failure as a sync run keeps it."""
        return SyncFailure(
            code=self.code,
            message=self.message,
            needs_attention=self.category is ErrorCategory.AUTH,
            permanent=self.category in (ErrorCategory.AUTH, ErrorCategory.PERMANENT),
            retry_after=self.retry_after,
        )
