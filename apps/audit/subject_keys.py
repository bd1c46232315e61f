"""The keys of data subjects: one for each subject and log, made with the first leaf that names them.

Each process keeps the keys that it seals under for `LIFE_SECONDS`, so that order intake asks for none. What it seals
under a key that was destroyed meanwhile is lost from the start; to read, nobody uses what is kept here.
"""

import os
import time
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import connection, transaction

from apps.audit.sealing import SubjectKey
from apps.core import crypto
from apps.core.ids import new_id

LIFE_SECONDS = 60.0
AT_MOST = 10_000
_KEY_BYTES = 32
_CLAIM = "SELECT id, sealed_key FROM audit_subject_key_of(%s, %s, %s, %s)"

# Whose key, in which log; the installation's own has no tenant.
_Owner = tuple[UUID | None, UUID]


@dataclass(slots=True)
class _Kept:
    """The keys that this process has lately used, each with the time until which it may."""

    keys: dict[_Owner, tuple[float, SubjectKey]] = field(default_factory=dict)

    def find(self, owner: _Owner) -> SubjectKey | None:
        found = self.keys.get(owner)
        return found[1] if found is not None and found[0] > time.monotonic() else None

    def keep(self, owner: _Owner, key: SubjectKey) -> None:
        if len(self.keys) >= AT_MOST:
            self.keys.clear()
        self.keys[owner] = (time.monotonic() + LIFE_SECONDS, key)


_kept = _Kept()


def key_of(subject: UUID, *, tenant_id: UUID | None, now: datetime) -> SubjectKey:
    """Return the key of a subject in the log of the open scope, which is `tenant_id`'s; the first time, make it.

    Of two transactions that need a new one at once the other waits for the first to end, and takes its key.
    """
    owner = (tenant_id, subject)
    found = _kept.find(owner)
    if found is None:
        found = _claim(owner, now)
        # Not before: a key that was made in this transaction vanishes with it.
        transaction.on_commit(lambda: _kept.keep(owner, found))
    return found


def drop(subject: UUID, *, tenant_id: UUID | None) -> None:
    """Forget the key of one subject, which has been destroyed."""
    _kept.keys.pop((tenant_id, subject), None)


def forget() -> None:
    """Forget the keys that this process keeps."""
    _kept.keys.clear()


def open_key(sealed_key: bytes, *, key_id: UUID) -> AESGCM:
    """Return the cipher of a stored key.

    Raises:
        DecryptionFailed: see `crypto.decrypt`.
    """
    return AESGCM(crypto.decrypt(sealed_key, bound_to=_bound_to(key_id)))


def reseal_key(sealed_key: bytes, *, key_id: UUID) -> bytes:
    """Return a stored key under the installation's current field key.

    Raises:
        DecryptionFailed: see `crypto.decrypt`.
    """
    return crypto.encrypt(crypto.decrypt(sealed_key, bound_to=_bound_to(key_id)), bound_to=_bound_to(key_id))


def _claim(owner: _Owner, now: datetime) -> SubjectKey:
    _tenant_id, subject = owner
    offered = new_id()
    sealed = crypto.encrypt(os.urandom(_KEY_BYTES), bound_to=_bound_to(offered))
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [subject, offered, sealed, now])
        [(key_id, sealed_key)] = cursor.fetchall()
    return SubjectKey(str(key_id), str(subject), open_key(bytes(sealed_key), key_id=key_id))


def _bound_to(key_id: UUID) -> str:
    return f"audit_subject_key:{key_id}"
