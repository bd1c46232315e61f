"""Users and their own second factors: an authenticator is added in two steps, what is no longer used is removed.

Whatever changes, all other sessions of the user end: whoever else holds one may be why it was changed.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.core.actor import Actor
from apps.core.errors import NotFound
from apps.core.scope import staff_scope
from apps.users import selectors
from apps.users.errors import LastSecondFactor, NoSecondFactor, TooManyFactors, WrongCode
from apps.users.models import Authenticator, RecoveryCodes, User
from apps.users.services.attempts import take_turn
from apps.users.services.factors import (
    FACTOR_ADDED,
    FACTOR_REMOVED,
    accept_code,
    make_recovery_codes,
    new_authenticator,
    record_factor,
)
from apps.users.services.sessions import end_other_sessions

MOST_FACTORS = 10


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A factor that counts, and the user's recovery codes when it is the first."""

    device: selectors.Factor
    recovery_codes: list[str] | None


def begin_totp(*, user_id: UUID, name: str, now: datetime) -> Authenticator:
    """Store a new authenticator that opens nothing until it is confirmed, in the place of an earlier such one.

    Raises:
        TooManyFactors: see the class.
    """
    with staff_scope():
        user = lock_for_another(user_id)
        Authenticator.objects.filter(user=user, confirmed=False).delete()
        return new_authenticator(user=user, name=name, confirmed=False, now=now)


def confirm_totp(
    *, user_id: UUID, factor_id: UUID, otp: str, keep: UUID | None, actor: Actor, now: datetime
) -> Enrolled:
    """Take an authenticator into use that shows the right code; the first factor brings recovery codes.

    `keep` is the session that acts. Raises:
        NotFound: the user has no such authenticator that waits to be confirmed.
        WrongCode: see the class.
    """
    with staff_scope():
        user = _locked(user_id)
        device = selectors.find_waiting_authenticator(user_id, factor_id)
        if device is None:
            raise NotFound
        accepted = accept_code([device], otp, now) is not None
        codes = _take_into_use(device, user, keep, actor, now) if accepted else None
    if not accepted:  # Outside, so that the failure that was counted stays.
        raise WrongCode
    return Enrolled(device, codes)


def _take_into_use(
    device: Authenticator, user: User, keep: UUID | None, actor: Actor, now: datetime
) -> list[str] | None:
    device.confirmed = True
    device.save(update_fields=["confirmed"])
    return tell_added(user=user, keep=keep, actor=actor, now=now)


def tell_added(*, user: User, keep: UUID | None, actor: Actor, now: datetime) -> list[str] | None:
    """Finish adding a factor; return recovery codes if the user had none."""
    record_factor(FACTOR_ADDED, user.id, actor, now)
    is_first = not RecoveryCodes.objects.filter(user=user).exists()
    codes = make_recovery_codes(user, actor, now) if is_first else None
    _end_others(user.id, keep, actor, now)
    return codes


def remove_factor(*, user_id: UUID, factor_id: UUID, keep: UUID | None, actor: Actor, now: datetime) -> None:
    """Take one of the user's factors away; recovery codes go with the last one.

    Raises:
        NotFound: the user has no such factor.
        LastSecondFactor: staff keep one.
    """
    with staff_scope():
        user = _locked(user_id)
        factor = selectors.find_factor(user_id, factor_id)
        if factor is None:
            raise NotFound
        left = [other for other in selectors.factors_of(user_id) if other != factor]
        if factor.confirmed and not left:
            if user.is_staff:
                raise LastSecondFactor
            RecoveryCodes.objects.filter(user=user).delete()
        factor.delete()
        if factor.confirmed:
            record_factor(FACTOR_REMOVED, user_id, actor, now, {"factors": [len(left) + 1, len(left)]})
            _end_others(user_id, keep, actor, now)


def renew_recovery_codes(*, user_id: UUID, keep: UUID | None, actor: Actor, now: datetime) -> list[str]:
    """Give a user ten new recovery codes; earlier ones open nothing any more.

    Raises:
        NoSecondFactor: see the class.
    """
    with staff_scope():
        user = _locked(user_id)
        if not selectors.factors_of(user_id):
            raise NoSecondFactor
        codes = make_recovery_codes(user, actor, now)
        _end_others(user_id, keep, actor, now)
    return codes


def lock_for_another(user_id: UUID) -> User:
    """Lock a user to whom a factor is to be added.

    Raises:
        TooManyFactors: see the class.
    """
    user = _locked(user_id)
    if len(selectors.factors_of(user_id)) >= MOST_FACTORS:
        raise TooManyFactors
    return user


def _locked(user_id: UUID) -> User:
    # Whoever signs in meanwhile does so before, and the session ends with the others, or after, with the new factors.
    take_turn(User.objects.values_list("username", flat=True).get(id=user_id))
    return User.objects.select_for_update(no_key=True).get(id=user_id)


def _end_others(user_id: UUID, keep: UUID | None, actor: Actor, now: datetime) -> None:
    end_other_sessions(user_id=user_id, keep=keep, reason="second_factor_changed", actor=actor, now=now)
