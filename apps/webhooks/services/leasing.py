"""The sender's side of the queue: claim what is due; services/settling.py settles what was tried. Across tenants.

Order. Deliveries of one endpoint about one entity form a lane, and of a lane only its first pending delivery is
claimed. It stays the first while it waits for its next attempt, for hours if need be: a receiver never sees the
later state of an order before the earlier one. Lanes do not wait for each other.

Once. A claim is a lease with a fencing token. A sender that is killed leaves its claims to expire; whoever claims them
then sends the same id and bytes again. A sender that comes back late settles nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import connection

from apps.core import crypto
from apps.core.scope import system_scope
from apps.webhooks import signing
from apps.webhooks.enums import SecretKind
from apps.webhooks.types import Claim, Share, SigningKey

# Longer than a request may take, with room for the settling; a killed sender's claims come back after this.
LEASE_SECONDS = 30
# So many due deliveries, with those on the wire, are few: a block or two of an index.
FEW = 1_000

# From tenant to tenant, and from endpoint to endpoint of each, along the index of what is due; never through the
# backlog of one of them: at most its room is taken from an endpoint, and from a tenant at most what would be its share
# if it were alone. Then the slots go round: the tenant that holds the fewest has the next, as long as nobody holds
# more than were free. So each finds some free, however many hold on to theirs. Shares.move_on in sending/shares.py
# tells by the same rule, "holds + taken - 1 <= slots", whose turn was cut short: the two change together.
#
# Most of the time little is due, while many wait for their next attempt or hang: then who has something due, for an
# endpoint with room, is read from an index of times, and the walk, which passes by all that is pending, is left out.
#
# How many rows are pending changes faster than the statistics do. So the statements of this room leave the planner no
# choice: a sub-select with LIMIT is not turned into a join, an order names the index that gives it, and what was chosen
# is an array, whose rows are looked up; as a join they were thought to be hundreds, and the whole table read for them.
_CLAIM = """
WITH RECURSIVE longest_due AS MATERIALIZED (
    SELECT tenant_id, endpoint_id, leased_until FROM webhooks_delivery
     WHERE status = 'pending' AND next_attempt_at IS NOT NULL AND next_attempt_at <= %(now)s
     ORDER BY next_attempt_at LIMIT %(few)s + 1),
walked (tenant_id) AS (
    (SELECT tenant_id FROM webhooks_delivery
      WHERE status = 'pending' AND next_attempt_at IS NOT NULL AND (SELECT count(*) FROM longest_due) > %(few)s
      ORDER BY tenant_id, endpoint_id, next_attempt_at LIMIT 1)
    UNION ALL
    SELECT (SELECT further.tenant_id FROM webhooks_delivery AS further
             WHERE further.status = 'pending' AND further.next_attempt_at IS NOT NULL
               AND further.tenant_id > walked.tenant_id
             ORDER BY further.tenant_id, further.endpoint_id, further.next_attempt_at LIMIT 1)
      FROM walked WHERE walked.tenant_id IS NOT NULL),
waiting AS MATERIALIZED (
    SELECT tenant_id FROM walked
    UNION
    SELECT tenant_id FROM longest_due
     WHERE (leased_until IS NULL OR leased_until <= %(now)s) AND NOT endpoint_id = ANY(%(full)s::uuid[])
       AND (SELECT count(*) FROM longest_due) <= %(few)s),
candidates AS MATERIALIZED (
    SELECT head.id, coalesce(share.held, 0) + row_number() OVER (
               PARTITION BY waiting.tenant_id ORDER BY head.endpoint_id, head.next_attempt_at, head.sequence) AS holds
      FROM waiting
      LEFT JOIN unnest(%(tenant_ids)s::uuid[], %(held)s::int[], %(afters)s::uuid[])
             AS share (tenant_id, held, after) USING (tenant_id)
     CROSS JOIN LATERAL (
        WITH RECURSIVE busy (endpoint_id) AS (
            (SELECT endpoint_id FROM webhooks_delivery AS nearest
              WHERE nearest.status = 'pending' AND nearest.next_attempt_at IS NOT NULL
                AND nearest.tenant_id = waiting.tenant_id AND nearest.endpoint_id > coalesce(share.after, %(lowest)s)
              ORDER BY tenant_id, endpoint_id, next_attempt_at LIMIT 1)
            UNION ALL
            SELECT (SELECT further.endpoint_id FROM webhooks_delivery AS further
                     WHERE further.status = 'pending' AND further.next_attempt_at IS NOT NULL
                       AND further.tenant_id = waiting.tenant_id AND further.endpoint_id > busy.endpoint_id
                     ORDER BY further.tenant_id, further.endpoint_id, further.next_attempt_at LIMIT 1)
              FROM busy WHERE busy.endpoint_id IS NOT NULL)
        SELECT first_of.* FROM busy
          LEFT JOIN unnest(%(endpoint_ids)s::uuid[], %(rooms)s::int[]) AS known (endpoint_id, room)
                 USING (endpoint_id)
         CROSS JOIN LATERAL (
               SELECT delivery.id, delivery.endpoint_id, delivery.next_attempt_at, delivery.sequence
                 FROM webhooks_delivery AS delivery
                WHERE delivery.tenant_id = waiting.tenant_id AND delivery.endpoint_id = busy.endpoint_id
                  AND delivery.status = 'pending' AND delivery.next_attempt_at <= %(now)s
                  AND (delivery.leased_until IS NULL OR delivery.leased_until <= %(now)s)
                  AND delivery.id = (
                      SELECT first.id FROM webhooks_delivery AS first
                       WHERE first.endpoint_id = delivery.endpoint_id AND first.entity_id = delivery.entity_id
                         AND first.status = 'pending' ORDER BY first.sequence LIMIT 1)
                ORDER BY delivery.next_attempt_at, delivery.sequence
                LIMIT coalesce(known.room, %(default_room)s)
                  FOR NO KEY UPDATE SKIP LOCKED) AS first_of
         WHERE busy.endpoint_id IS NOT NULL
         LIMIT greatest((%(slots)s - coalesce(share.held, 0) + 1) / 2, 0)) AS head
     WHERE waiting.tenant_id IS NOT NULL),
due AS MATERIALIZED (
    SELECT id FROM (SELECT id, holds, row_number() OVER (ORDER BY holds, id) AS taken FROM candidates) AS ranked
     WHERE holds + taken - 1 <= %(slots)s)
UPDATE webhooks_delivery AS delivery SET leased_until = %(until)s, fence = delivery.fence + 1
 WHERE delivery.id = ANY(ARRAY(SELECT id FROM due))
RETURNING delivery.id, delivery.tenant_id, delivery.endpoint_id, delivery.entity_id, delivery.body, delivery.sequence,
          delivery.previous_id, delivery.attempt_count, delivery.fence
"""
_TARGETS = """
SELECT endpoint.id, endpoint.tenant_id, endpoint.url, endpoint.api_version,
       array_agg(secret.kind ORDER BY secret.expires_at DESC NULLS FIRST, secret.id),
       array_agg(secret.ciphertext ORDER BY secret.expires_at DESC NULLS FIRST, secret.id)
  FROM webhooks_endpoint AS endpoint
  LEFT JOIN webhooks_endpointsecret AS secret
    ON secret.tenant_id = endpoint.tenant_id AND secret.endpoint_id = endpoint.id
   AND (secret.expires_at IS NULL OR secret.expires_at > %(now)s)
 WHERE endpoint.id = ANY(%(endpoint_ids)s) GROUP BY endpoint.id
"""


class Target(NamedTuple):
    """Where an endpoint is, and what its requests need; without keys nothing can be sent."""

    url: str
    api_version: str
    keys: tuple[SigningKey, ...]
    headers: Mapping[str, str]


def claim(
    *,
    slots: int,
    shares: Mapping[UUID, Share],
    rooms: Mapping[UUID, int],
    default_room: int,
    now: datetime,
) -> list[Claim]:
    """Lease due deliveries for the `slots` that are free, of each endpoint up to its room (0 and more).

    A tenant gets no more slots than, with those that it holds by its share, were free before. A tenant without a share
    holds none.
    """
    parameters: dict[str, Any] = {
        "slots": slots,
        "tenant_ids": list(shares),
        "held": [share.held for share in shares.values()],
        "afters": [share.after for share in shares.values()],
        "lowest": UUID(int=0),
        "endpoint_ids": list(rooms),
        "rooms": list(rooms.values()),
        "default_room": default_room,
        "few": FEW,
        "full": [endpoint_id for endpoint_id, room in rooms.items() if not room],
        "now": now,
        "until": now + timedelta(seconds=LEASE_SECONDS),
    }
    with system_scope(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        rows = cursor.fetchall()
        if not rows:
            return []
        cursor.execute(_TARGETS, {"endpoint_ids": list({row[2] for row in rows}), "now": now})
        targets = {row[0]: _target(*row) for row in cursor.fetchall()}
    # By endpoint, then in the order of its queue.
    return [_claim_of(row, targets[row[2]]) for row in sorted(rows, key=lambda row: (row[2], row[5]))]


def _target(
    endpoint_id: UUID,
    tenant_id: UUID,
    url: str,
    api_version: str,
    kinds: Sequence[str | None],
    ciphertexts: Sequence[bytes | None],
) -> Target:
    """Open what an endpoint's requests need; where that fails nothing is sent, which the attempt then says."""
    keys: list[SigningKey] = []
    headers: dict[str, str] = {}
    try:
        for kind, ciphertext in zip(kinds, ciphertexts, strict=True):
            if kind is None or ciphertext is None:
                continue
            value = signing.open_sealed(ciphertext, tenant_id=tenant_id, endpoint_id=endpoint_id, kind=kind)
            if kind == SecretKind.HEADERS:
                headers = msgspec.json.decode(value, type=dict[str, str])
            else:
                keys.append(SigningKey(kind, value))
    except crypto.DecryptionFailed:
        return Target(url, api_version, (), {})
    return Target(url, api_version, tuple(keys), headers)


def _claim_of(row: Sequence[Any], target: Target) -> Claim:
    delivery_id, tenant_id, endpoint_id, entity_id, body, sequence, previous_id, attempt_count, fence = row
    return Claim(
        id=delivery_id,
        tenant_id=tenant_id,
        endpoint_id=endpoint_id,
        entity_id=entity_id,
        url=target.url,
        api_version=target.api_version,
        keys=target.keys,
        headers=target.headers,
        body=body.encode(),
        sequence=sequence,
        previous_id=previous_id,
        attempt_count=attempt_count,
        fence=fence,
    )
