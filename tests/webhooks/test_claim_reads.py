"""What a claim reads beside a thousand deliveries that wait or are on the wire: what is due by now, by index.

Nobody has told the planner how many there are, as in the minutes after an endpoint has begun to refuse.
"""

from datetime import datetime
from uuid import UUID

import pytest
from django.db import connection

from apps.webhooks.services import claim
from tests import databases
from tests.factories.webhooks import deliveries_of, make_endpoint, relay
from tests.plans.reading import Plan, tell_plans, told_plans

pytestmark = [pytest.mark.commits, pytest.mark.worker_login]

TENANTS, ENDPOINTS, WAITING = 60, 4, 4
# Of each of these tenants' endpoints so many wait for an hour; the first endpoint of each has one on the wire, too.
_PENDING = """
    WITH tenant AS MATERIALIZED (SELECT gen_random_uuid() AS id FROM generate_series(1, %(tenants)s)),
    endpoint AS MATERIALIZED (
        SELECT gen_random_uuid() AS id, tenant.id AS of, number
          FROM tenant CROSS JOIN generate_series(1, %(endpoints)s) AS number)
    INSERT INTO webhooks_delivery
    SELECT copy.* FROM webhooks_delivery AS due CROSS JOIN endpoint CROSS JOIN generate_series(0, %(waiting)s) AS place
     CROSS JOIN jsonb_populate_record(due, jsonb_build_object(
        'id', gen_random_uuid(), 'tenant_id', endpoint.of, 'endpoint_id', endpoint.id, 'sequence', place,
        'entity_id', gen_random_uuid(), 'event_id', gen_random_uuid(),
        'next_attempt_at', due.next_attempt_at + interval '1 hour' * sign(place),
        'leased_until', CASE WHEN place = 0 THEN due.next_attempt_at + interval '20 seconds' END)) AS copy
     WHERE place > 0 OR number = 1
"""


@pytest.fixture
def due(acme, database: str, now: datetime) -> UUID:
    """Return the id of the one delivery that is due, beside all that is pending."""
    with databases.as_owner(database) as owner:
        owner.execute("SET session_replication_role = replica")  # no trigger, no endpoint for what is a copy
        owner.execute("TRUNCATE webhooks_delivery CASCADE")  # what tests before deleted would still be read
        endpoint = make_endpoint(acme, now=now).endpoint
        relay(acme, now=now)
        owner.execute(_PENDING, {"tenants": TENANTS, "endpoints": ENDPOINTS, "waiting": WAITING})
        tell_plans(owner, database)
    [delivery] = deliveries_of(endpoint)
    connection.close()
    return delivery.id


def claimed(now: datetime) -> tuple[list[UUID], Plan]:
    with told_plans() as plans:
        claims = claim(slots=100, shares={}, rooms={}, default_room=10, now=now)
    [plan] = [plan for plan in plans if "RECURSIVE longest_due" in plan.sql]
    return [one.id for one in claims], plan


def test_a_claim_does_not_walk_past_what_is_not_due(due: UUID, now: datetime) -> None:
    for expected in ([due], []):
        found, plan = claimed(now)
        assert found == expected
        assert "webhooks_delivery_longest_due" in {node.get("Index Name") for node in plan.nodes()}
        assert "Seq Scan" not in {node["Node Type"] for node in plan.nodes()}
        # With the walk it would be 1,600, and it would grow with all that is pending.
        assert plan.blocks < 100
