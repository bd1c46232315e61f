"""Every table with values that are sealed under the field keys. Whoever calls `crypto.encrypt` is listed here."""

from collections.abc import Iterator
from typing import NamedTuple

from apps.audit.services import SUBJECT_KEYS
from apps.core import clock
from apps.core.seals import SealedTable
from apps.idempotency.services import KEPT_ANSWERS
from apps.providers.services import CREDENTIALS
from apps.tenants.services import WAITING_LETTERS
from apps.users.services import AUTHENTICATOR_SEEDS, SUCCESSORS
from apps.webhooks.services import WEBHOOK_SECRETS

SEALED_TABLES = (
    CREDENTIALS,
    WEBHOOK_SECRETS,
    AUTHENTICATOR_SEEDS,
    SUCCESSORS,
    WAITING_LETTERS,
    KEPT_ANSWERS,
    SUBJECT_KEYS,
)


class Progress(NamedTuple):
    """How far one table is: rows looked at, and moved to the current key."""

    table: SealedTable
    seen: int
    moved: int


def renew_all() -> Iterator[Progress]:
    """Move everything to the current key, and tell after each batch; with nothing to do it costs a query a table."""
    for table in SEALED_TABLES:
        seen = moved = 0
        for batch in table.renew(now=clock.now):
            seen, moved = seen + batch.seen, moved + batch.moved
            yield Progress(table, seen, moved)


def count_all() -> dict[str, dict[str, int]]:
    """Return how many rows of each table are under each key."""
    return {table.name: table.count() for table in SEALED_TABLES}
