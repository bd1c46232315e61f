"""What travels between queue, sender and log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from apps.core.ids import new_id
from apps.jobs.types import JobKind

# A letter about an endpoint is of use for days: half a day of trying, then staff see why.
SEND_NOTICE = JobKind("webhook_notice.send", queue="default", max_attempts=15, backoff_seconds=10)
# A batch of a recovery; see `services.continue_recovery`. On the senders' queue, which is never long: what happens
# meanwhile to the endpoint waits for it.
RECOVER = JobKind("webhook_recovery.continue", queue="webhooks", max_attempts=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is said to every endpoint that asked for it; `body` is the JSON that is sent."""

    event_id: UUID
    event_type: str
    entity_id: UUID
    occurred_at: datetime
    body: str


# A receiver's word that it wants nothing more (Standard Webhooks; RFC 9110 15.5.11).
GONE_STATUS = 410
# The error of an attempt that was not made, since no secret of its endpoint could be opened.
SECRET_UNREADABLE = "secret_unreadable"  # noqa: S105  (a code)


class SigningKey(NamedTuple):
    """A key that signs: `kind` is "symmetric" (32 bytes for HMAC-SHA256) or "asymmetric" (an Ed25519 seed)."""

    kind: str
    key: bytes


class Share(NamedTuple):
    """How many of a sender's slots a tenant holds; `after`: the endpoint behind which its next turn begins."""

    held: int
    after: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A delivery that one sender holds until its lease ends. `keys` sign it, the current one first.

    `headers` are the endpoint's own.
    """

    id: UUID
    tenant_id: UUID
    endpoint_id: UUID
    entity_id: UUID
    url: str
    api_version: str
    keys: tuple[SigningKey, ...]
    headers: Mapping[str, str]
    body: bytes
    sequence: int
    previous_id: UUID | None
    attempt_count: int
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What became of a claim. `error` is a code, empty for a success; `retry_after` are the seconds asked for."""

    claim: Claim
    at: datetime
    duration_ms: int
    status_code: int | None = None
    error: str = ""
    response_excerpt: str = ""
    retry_after: float | None = None
    id: UUID = field(default_factory=new_id)

    @property
    def ended_at(self) -> datetime:
        """When its outcome was known."""
        return self.at + timedelta(milliseconds=self.duration_ms)
