"""How long ago somebody proved who they are, and whether that is recent enough for a sensitive change."""

from datetime import datetime, timedelta

from django.conf import settings

from apps.core.errors import ReauthenticationRequired
from apps.core.principal import Principal


def is_fresh(proved_at: datetime, *, now: datetime) -> bool:
    """Tell whether a proof is not older than REAUTHENTICATION_SECONDS."""
    return now - proved_at <= timedelta(seconds=settings.REAUTHENTICATION_SECONDS)


def require_fresh_proof(principal: Principal, *, now: datetime) -> None:
    """Go on only if the user behind a session has proved who they are not long ago; API keys have no session.

    Raises:
        ReauthenticationRequired: see the class.
    """
    if principal.proved_at is not None and not is_fresh(principal.proved_at, now=now):
        raise ReauthenticationRequired(
            reauthenticate_at=f"{settings.BASE_URL}/api/v1/auth/reauthenticate",
            max_age_seconds=settings.REAUTHENTICATION_SECONDS,
        )
