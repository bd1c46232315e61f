"""Password resets, from the request to the letter.

Whether somebody has the name that was typed must not be told by the answer, nor by the time that it takes: a request
leaves a row in either case, and all the rest is done later, by workers. The name itself is not kept: people type
passwords into the wrong field.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from apps.core import wake
from apps.core.tokens import TokenKind, hash_token, new_token
from apps.users import selectors
from apps.users.models import PasswordReset, User
from apps.users.types import Origin

LIFE = timedelta(minutes=30)
# One letter to a user in this time, however often somebody asks.
PAUSE = timedelta(minutes=2)
# A letter that could not be sent for this long is not wanted any more.
PATIENCE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ResetLetter:
    """What is to be sent, with the token."""

    user: User
    token: str
    until: datetime


def ask_for_reset(*, login: str, origin: Origin, now: datetime) -> None:
    """Take note that somebody wants a new password for a user name or an e-mail address, whether there is one or not.

    Staff have no such letters: an operator sets their password.
    """
    found: list[UUID | None] = [*selectors.members_named(login)]
    rows = [
        PasswordReset(user_id=user_id, created_at=now, ip=origin.ip or None, request_id=origin.request_id)
        for user_id in found or [None]
    ]
    with transaction.atomic():
        PasswordReset.objects.bulk_create(rows)
        transaction.on_commit(lambda: wake.send({"password_resets"}))


def take_reset(*, now: datetime) -> PasswordReset | None:
    """Return the oldest request that nobody has looked at, locked and noted as looked at; call it in a transaction."""
    waiting = PasswordReset.objects.select_for_update(skip_locked=True).filter(posted_at__isnull=True)
    reset = waiting.order_by("id").first()
    if reset is not None:
        reset.posted_at = now
        reset.save(update_fields=["posted_at"])
    return reset


def is_wanted(reset: PasswordReset, *, now: datetime) -> bool:
    """Tell whether a request is by somebody, for whom no letter has just gone out."""
    lately = PasswordReset.objects.filter(user_id=reset.user_id, posted_at__gt=now - PAUSE).exclude(id=reset.id)
    return reset.user_id is not None and not lately.exists()


def discard_reset(reset: PasswordReset) -> None:
    """Forget a request that leads to no letter."""
    reset.delete()


def forget_resets(*, now: datetime) -> None:
    """Delete what nobody has used in time."""
    PasswordReset.objects.filter(posted_at__lt=now - PATIENCE - LIFE).delete()


def write_letter(*, reset_id: UUID, now: datetime) -> ResetLetter | None:
    """Give a reset its token, in the place of one whose letter may have been lost; None when it is not wanted any more.

    The token is made here, where it is sent from, so that nothing but its hash is ever stored.
    """
    token = new_token(TokenKind.PASSWORD_RESET)
    until = now + LIFE
    fresh = PasswordReset.objects.filter(id=reset_id, created_at__gt=now - PATIENCE)
    if not fresh.update(token_hash=hash_token(token), expires_at=until):
        return None
    user = User.objects.get(id__in=fresh.values("user_id"))
    # Earlier letters are void: of several that lie about, the one that was asked for last counts.
    PasswordReset.objects.filter(user_id=user.id, id__lt=reset_id, token_hash__isnull=False).delete()
    return ResetLetter(user, token, until)
