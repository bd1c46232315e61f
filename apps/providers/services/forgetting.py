"""Forgetting what came to the inbox long ago."""

from datetime import datetime

from django.db import connection

from apps.core.scope import system_scope

FORGET_BATCH = 1_000
# A webhook that waits for its job stays, and so does one that is replayed meanwhile.
_FORGET = """
DELETE FROM providers_inboundhook WHERE state <> 'received' AND id = ANY(ARRAY(
    SELECT id FROM providers_inboundhook WHERE received_at < %(before)s AND state <> 'received'
     ORDER BY received_at LIMIT %(batch)s))
"""
# There is one for each connection and reason: few enough to look at them all.
_FORGET_REFUSED = "DELETE FROM providers_refusedhook WHERE last_seen_at < %(before)s"


def forget_hooks(*, before: datetime, batch: int = FORGET_BATCH) -> int:
    """Delete a batch of the webhooks that came before a moment and are processed; return how many there were.

    And what is told of those that were refused, where the last one came before.
    """
    with system_scope(), connection.cursor() as cursor:
        cursor.execute(_FORGET_REFUSED, {"before": before})
        cursor.execute(_FORGET, {"before": before, "batch": batch})
        return int(cursor.rowcount)
