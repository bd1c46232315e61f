"""Attempts to sign in with one name go one after the other, so that the lockout counts every one of them."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ValidationError
from django.db import connection, transaction

from apps.core.errors import DomainError


@contextmanager
def one_attempt_at_a_time(username: str) -> Iterator[None]:
    """Hold a name's turn, whether somebody has the name or not; a refusal inside keeps the failure that was counted.

    django-axes looks at the count before the password is hashed and adds to it afterwards: of attempts at once each
    would find the same count, and more would be tried than the lockout allows. An attempt costs one hash of a password
    under the lock, and next to nothing once the name is locked.
    """
    refusal: DomainError | ValidationError | None = None
    with transaction.atomic():
        take_turn(username)
        try:
            yield
        except (DomainError, ValidationError) as raised:
            refusal = raised
    if refusal is not None:
        raise refusal


def take_turn(username: str) -> None:
    """Wait until nobody signs in with a name, and keep everybody from it until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_turn_of(username)])


def _turn_of(username: str) -> int:
    digest = hashlib.blake2b(f"finops sign-in {username}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
