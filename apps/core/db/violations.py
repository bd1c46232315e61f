"""Translates violations of named constraints into domain errors."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg
from django.db import IntegrityError, transaction

from apps.core.errors import DomainError


@contextmanager
def translate_violations(errors: Mapping[str, DomainError]) -> Iterator[None]:
    """Raise `errors[constraint]` when the block violates that constraint; other violations pass through.

    The block runs in a savepoint, so the surrounding transaction stays usable.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        cause = error.__cause__
        name = cause.diag.constraint_name if isinstance(cause, psycopg.Error) else None
        if name is not None and name in errors:
            raise errors[name] from error
        raise
