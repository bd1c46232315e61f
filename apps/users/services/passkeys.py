"""Passkeys: registered by users who are signed in, and taken as a proof of who somebody is.

Each challenge is taken before its answer is looked at: whatever comes of that, there is no second try. A wrong answer
does not count towards the lockout. Nobody guesses a signature, and a stranger could lock others out.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest

from apps.core.actor import Actor
from apps.core.db.violations import translate_violations
from apps.core.errors import NotFound
from apps.core.scope import staff_scope
from apps.users import passkeys, selectors
from apps.users.enums import PasskeyPurpose
from apps.users.errors import InvalidCredentials, PasskeyRefused
from apps.users.models import Passkey, PasskeyChallenge, User
from apps.users.services.attempts import one_attempt_at_a_time
from apps.users.services.enrolment import Enrolled, lock_for_another, tell_added
from apps.users.services.lockout import require_not_locked_out
from apps.users.services.sign_in import SIGN_IN_REFUSED, record_refusal, visitor
from apps.users.types import Origin

logger = logging.getLogger(__name__)

# Verified with where there is no such passkey, so that it takes as long: the curve's base point (FIPS 186-4, D.1.2.3).
_NOBODYS_KEY = bytes.fromhex(
    "a5010203262001215820"
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "225820"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)


@dataclass(frozen=True, slots=True)
class Ceremony:
    """A challenge, and what the browser's API takes for it."""

    id: UUID
    options: dict[str, Any]


def begin_passkey(*, user_id: UUID, session_id: UUID | None, now: datetime) -> Ceremony:
    """Ask for a new passkey of a user, to be confirmed in the same session.

    Raises:
        PasskeysOff, TooManyFactors: see the classes.
    """
    with staff_scope():
        user = lock_for_another(user_id)
        existing = list(Passkey.objects.filter(user=user).order_by("id"))
        challenge = _challenge(PasskeyPurpose.REGISTER, user_id, session_id, now)
        return Ceremony(challenge.id, passkeys.registration_options(user, bytes(challenge.challenge), existing))


def confirm_passkey(
    *,
    user_id: UUID,
    challenge_id: UUID,
    name: str,
    credential: dict[str, Any],
    keep: UUID | None,
    actor: Actor,
    now: datetime,
) -> Enrolled:
    """Take a new passkey into use; the first factor brings recovery codes. `keep` is the session that acts.

    Raises:
        NotFound: the challenge is not this user's in this session, or is over.
        PasskeysOff, PasskeyRefused, TooManyFactors: see the classes.
    """
    challenge = _take(PasskeyPurpose.REGISTER, challenge_id, user_id, keep, now)
    if challenge is None:
        raise NotFound
    try:
        new = passkeys.verify_registration(credential, challenge)
    except passkeys.Unverified as error:
        logger.info("passkey.refused", extra={"reason": str(error)})
        raise PasskeyRefused from error
    with staff_scope():
        user = lock_for_another(user_id)
        passkey = Passkey(
            user=user,
            name=name,
            credential_id=new.credential_id,
            public_key=new.public_key,
            sign_count=new.sign_count,
            transports=new.transports,
            created_at=now,
        )
        with translate_violations({"users_passkey_credential_id_key": PasskeyRefused()}):
            passkey.save(force_insert=True)
        return Enrolled(passkey, tell_added(user=user, keep=keep, actor=actor, now=now))


def ask_for_passkey(
    *, purpose: PasskeyPurpose, user_id: UUID | None = None, session_id: UUID | None = None, now: datetime
) -> Ceremony:
    """Ask whoever signs in, or proves again who they are, for one of their passkeys.

    Raises:
        PasskeysOff: see the class.
    """
    challenge = _challenge(purpose, user_id, session_id, now)
    return Ceremony(challenge.id, passkeys.assertion_options(bytes(challenge.challenge)))


@contextmanager
def checked_passkey(
    *,
    request: HttpRequest,
    challenge_id: UUID,
    credential: dict[str, Any],
    purpose: PasskeyPurpose,
    user_id: UUID | None = None,
    session_id: UUID | None = None,
    origin: Origin,
    now: datetime,
) -> Iterator[Passkey]:
    """Hold the turn of the active user whose passkey answers a challenge: of `user_id`, if that is given.

    It stands for the password and the second factor.

    Raises:
        InvalidCredentials, LockedOut, PasskeysOff: see the classes.
    """
    challenge = _take(purpose, challenge_id, user_id, session_id, now)
    try:
        passkey, count = _verify(credential, challenge, user_id)
    except passkeys.Unverified as error:
        logger.info("passkey.refused", extra={"reason": str(error)})
        raise InvalidCredentials from error
    with one_attempt_at_a_time(passkey.user.username):
        require_not_locked_out(request=request, username=passkey.user.username)
        yield _use(passkey.id, count, request=request, origin=origin, now=now)


def _verify(credential: dict[str, Any], challenge: bytes | None, user_id: UUID | None) -> tuple[Passkey, int]:
    """Return whose answer it is, and its count. No passkey costs as much as one."""
    asserted = passkeys.read_assertion(credential)
    passkey = selectors.find_passkey(asserted.credential_id)
    key = bytes(passkey.public_key) if passkey else _NOBODYS_KEY
    count = passkeys.verify_assertion(credential, challenge or os.urandom(passkeys.CHALLENGE_BYTES), key)
    if passkey is None or user_id not in (None, passkey.user_id):
        raise passkeys.Unverified("no such passkey of this user")
    if asserted.user_handle not in (None, passkey.user_id.bytes):
        raise passkeys.Unverified("the passkey names another user")
    return passkey, count


def _use(passkey_id: UUID, count: int, *, request: HttpRequest, origin: Origin, now: datetime) -> Passkey:
    """Note the use of a passkey whose answer is right; one whose count has not gone on may have been copied."""
    with transaction.atomic():
        # Read again under the lock: of two answers at once the second sees what the first left.
        found = Passkey.objects.select_for_update(of=("self",)).select_related("user").filter(id=passkey_id)
        passkey: Passkey | None = found.first()
        if passkey is None:
            raise InvalidCredentials
        user: User = passkey.user
        reason = "" if user.is_active else "deactivated"
        if max(count, passkey.sign_count) > 0 and count <= passkey.sign_count:
            reason = "passkey_copied"
            logger.warning("passkey.copied", extra={"passkey_id": str(passkey.id), "user_id": str(user.id)})
        if not reason:
            passkey.sign_count, passkey.last_used_at = count, now
            passkey.save(update_fields=["sign_count", "last_used_at"])
            return passkey
    by = visitor("user", origin)
    record_refusal(SIGN_IN_REFUSED, request=request, user=user, reason=reason, actor=by, now=now)
    raise InvalidCredentials


def _challenge(
    purpose: PasskeyPurpose, user_id: UUID | None, session_id: UUID | None, now: datetime
) -> PasskeyChallenge:
    """Store a new challenge, in the place of those that are over."""
    passkeys.relying_party()
    PasskeyChallenge.objects.filter(expires_at__lte=now).delete()
    challenge = PasskeyChallenge(
        purpose=purpose,
        user_id=user_id,
        session_id=session_id,
        challenge=os.urandom(passkeys.CHALLENGE_BYTES),
        expires_at=now + timedelta(seconds=passkeys.CHALLENGE_SECONDS),
    )
    challenge.save(force_insert=True)
    return challenge


def _take(
    purpose: PasskeyPurpose, challenge_id: UUID, user_id: UUID | None, session_id: UUID | None, now: datetime
) -> bytes | None:
    """Return what had to be signed, if it may be answered now; it is gone then, for whoever asks at the same time."""
    with transaction.atomic():
        answerable = selectors.open_challenges(purpose, user_id=user_id, session_id=session_id, now=now)
        challenge = answerable.select_for_update().filter(id=challenge_id).first()
        if challenge is None:
            return None
        challenge.delete()
    return bytes(challenge.challenge)
