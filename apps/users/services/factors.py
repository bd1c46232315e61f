"""Second factors: added, spent, removed; their seeds kept under the installation's current key.

They are a user's in every tenant, so their leaves stand in the installation's own log.
"""

import logging
import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django_otp.models import Device

from apps.audit import services as audit
from apps.core import crypto
from apps.core.actor import Actor
from apps.core.scope import staff_scope
from apps.core.seals import Row, SealedTable
from apps.users import recovery
from apps.users.models import Authenticator, Passkey, RecoveryCodes, User
from apps.users.services.attempts import take_turn
from apps.users.services.sessions import end_other_sessions

logger = logging.getLogger(__name__)

FACTOR_ADDED = "user.second_factor_added"
FACTOR_REMOVED = "user.second_factor_removed"
CODES_MADE = "user.recovery_codes_made"
CODE_USED = "user.recovery_code_used"
SEED_BYTES = 20  # RFC 4226, 4: as many as the hash has


def new_authenticator(*, user: User, name: str, confirmed: bool, now: datetime, seed: bytes = b"") -> Authenticator:
    """Store an authenticator; by default with a random seed."""
    device = Authenticator(user=user, name=name, confirmed=confirmed, created_at=now)
    device.seal(seed or os.urandom(SEED_BYTES))
    device.save(force_insert=True)
    return device


def add_totp_device(
    *, user: User, actor: Actor, now: datetime, name: str = "Authenticator", key: str = ""
) -> Authenticator:
    """Give a user a confirmed second factor; `key` is its seed in hex, by default random."""
    with staff_scope():
        device = new_authenticator(user=user, name=name, confirmed=True, now=now, seed=bytes.fromhex(key))
        record_factor(FACTOR_ADDED, user.id, actor, now)
    return device


def spend_code(*, user: User, code: str, actor: Actor, now: datetime) -> Device | None:
    """Return the user's device that a one-time or recovery code is good for; the code is used up.

    The rows are locked: of several requests with one code at once, one gets it. `actor` proved the password.
    """
    if recovery.is_recovery_code(code):
        return _spend_recovery_code(user, code, actor, now)
    with transaction.atomic():
        devices = Authenticator.objects.select_for_update().filter(user=user, confirmed=True).order_by("id")
        return accept_code(devices, code, now)


def accept_code(devices: Iterable[Authenticator], code: str, now: datetime) -> Authenticator | None:
    """Return the device that a code is good for, and spend it; the rows are locked.

    A code that is good for none makes them all wait 1, 2, 4... seconds; the code of one makes no other wait.
    """
    ready = [device for device in devices if device.verify_is_allowed()[0]]
    for device in ready:
        period = device.period_of(code, now)
        if period is not None:
            device.last_period, device.last_used_at = period, now
            device.throttle_reset()
            return device
    for device in ready:
        device.throttle_increment()
    return None


def _spend_recovery_code(user: User, code: str, actor: Actor, now: datetime) -> Device | None:
    with staff_scope():
        codes = RecoveryCodes.objects.select_for_update().filter(user=user).first()
        hashed = recovery.hash_code(code)
        if codes is None or hashed not in codes.hashes:
            return None
        codes.hashes.remove(hashed)
        codes.last_used_at = now
        codes.save(update_fields=["hashes", "last_used_at"])
        left = len(codes.hashes)
        record_factor(CODE_USED, user.id, actor, now, {"left": [left + 1, left]})
    return codes


def make_recovery_codes(user: User, actor: Actor, now: datetime) -> list[str]:
    """Give a user ten new recovery codes in the place of those that are left; call it in a staff scope."""
    codes = recovery.new_codes()
    hashes = [recovery.hash_code(code) for code in codes]
    stored, created = RecoveryCodes.objects.select_for_update().get_or_create(
        user=user, defaults={"name": "Recovery codes", "hashes": hashes, "created_at": now}
    )
    left = 0 if created else len(stored.hashes)
    if not created:
        stored.hashes, stored.created_at, stored.last_used_at = hashes, now, None
        stored.save(update_fields=["hashes", "created_at", "last_used_at"])
    record_factor(CODES_MADE, user.id, actor, now, {"left": [left, len(codes)]})
    return codes


def remove_all_factors(*, user: User, actor: Actor, now: datetime) -> int:
    """Take every second factor and recovery code of a user away, and end their sessions; return how many factors."""
    with staff_scope():
        take_turn(user.username)
        removed: int = Authenticator.objects.filter(user=user).delete()[0]
        removed += Passkey.objects.filter(user=user).delete()[0]
        RecoveryCodes.objects.filter(user=user).delete()
        if removed:
            record_factor(FACTOR_REMOVED, user.id, actor, now, {"factors": [removed, 0]})
            end_other_sessions(user_id=user.id, keep=None, reason="second_factor_changed", actor=actor, now=now)
    return removed


def record_factor(
    action: str, user_id: UUID, actor: Actor, now: datetime, changes: dict[str, Any] | None = None
) -> None:
    """Leave the leaf of what happened to a user's factors; call it in a staff scope."""
    actor = replace(actor, tenant_id=None)
    audit.record(action=action, actor=actor, target_type="user", target_id=user_id, now=now, changes=changes)


def reseal_seed(sealed: Row, _now: datetime) -> bool:
    """Put a seed under the current key; see `SealedTable.reseal`.

    No leaf: the worker may not write the installation's log, and no tenant's row changes.
    """
    with transaction.atomic():
        device = Authenticator.objects.select_for_update().filter(id=sealed.id).first()
        if device is None:
            return False  # removed in between
        try:
            device.seal(device.seed)
        except crypto.DecryptionFailed:
            logger.warning("seed.not_resealed", extra={"row": str(sealed.id)})
            return False
        device.save(update_fields=["sealed_seed", "key_id"])
    return True


AUTHENTICATOR_SEEDS = SealedTable(
    "authenticator seeds",
    "users_authenticator",
    reseal_seed,
    is_global=True,
    bound_to="concat('users_authenticator:', user_id, ':', id)",
    value="sealed_seed",
)
