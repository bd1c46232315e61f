"""Values that the tenants room takes and returns."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.core import principal
from apps.jobs.types import JobKind
from apps.tenants.enums import ApiKeyMode

# A letter is worth little days later: half a day of trying, then staff see why.
SEND_INVITATION = JobKind("invitation.send", queue="default", max_attempts=15, backoff_seconds=10)

# Half an hour after it was asked for, nobody waits for it.
SEND_PASSWORD_RESET = JobKind("password_reset.send", queue="default", max_attempts=8, backoff_seconds=10)


@dataclass(frozen=True, slots=True)
class TenantIdentity:
    """A tenant as its credentials name it."""

    id: UUID
    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Impersonator:
    """The staff user behind a member, and the impersonation that lets them be."""

    id: UUID
    staff_id: UUID
    staff_name: str
    member_name: str
    started_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal(principal.Principal):
    """A principal with its tenant. A user has `role` and `session_id`, an API key has `mode`.

    Staff who look as a member have that member's `role`, no session, and `impersonation`.
    """

    tenant: TenantIdentity
    session_id: UUID | None = None
    mode: ApiKeyMode | None = None
    impersonation: Impersonator | None = None


@dataclass(frozen=True, slots=True)
class MembershipChoice:
    """One of the tenants that a user may sign in to."""

    tenant_id: UUID
    slug: str
    is_suspended: bool
    role: str


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a sign-in or a refresh gives: both tokens, and the access token's life in seconds."""

    access: str
    refresh: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class Invited:
    """What an invitation's token is good for."""

    id: UUID
    email: str
    tenant: TenantIdentity
    is_suspended: bool
