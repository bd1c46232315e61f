"""What the database itself holds to: who may write which column, and what no row can be."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import system_scope, write_scope
from apps.webhooks.models import Delivery, DeliveryAttempt, Endpoint
from apps.webhooks.services import send_test_event
from tests.factories.webhooks import deliveries_of, fail_due, make_endpoint

pytestmark = pytest.mark.worker_login


@pytest.fixture
def delivery(acme, now: datetime) -> Delivery:
    """A delivery with one failed attempt."""
    endpoint = make_endpoint(acme, now=now).endpoint
    send_test_event(endpoint_id=endpoint.id, actor=system_actor("tests", tenant_id=acme.id), now=now)
    assert fail_due(now) == 1
    return deliveries_of(endpoint)[0]


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def held(role: str, table: str, privilege: str) -> bool:
    """Return whether a role has a privilege on any column of a table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_any_column_privilege(%s, %s, %s)", [role, table, privilege])
        return cursor.fetchone()[0]


@pytest.mark.parametrize("column", ["body", "event_type", "entity_id", "event_id", "sequence", "created_at"])
def test_what_is_sent_can_be_changed_by_nobody(delivery: Delivery, column: str) -> None:
    for scope in (write_scope(system_actor("tests", tenant_id=delivery.tenant_id)), system_scope()):
        with pytest.raises(DatabaseError, match="permission denied for table webhooks_delivery"), scope:
            execute(f"UPDATE webhooks_delivery SET {column} = {column}")


def test_attempts_are_only_added(delivery: Delivery) -> None:
    denied = ("UPDATE webhooks_deliveryattempt SET error = ''", "DELETE FROM webhooks_deliveryattempt")
    for statement in denied:
        with (
            pytest.raises(DatabaseError, match="permission denied for table webhooks_deliveryattempt"),
            write_scope(system_actor("tests", tenant_id=delivery.tenant_id)),
        ):
            execute(statement)
    # Retention deletes old ones: see test_forgetting.
    with pytest.raises(DatabaseError, match="permission denied for table webhooks_deliveryattempt"), system_scope():
        execute(denied[0])


def test_retention_itself_cannot_take_an_attempt_of_the_last_four_weeks(delivery: Delivery) -> None:
    with system_scope():
        for days in (28, 30):
            at = clock.now() - timedelta(days=days)
            DeliveryAttempt.objects.create(
                tenant_id=delivery.tenant_id, delivery=delivery, endpoint_id=delivery.endpoint_id, at=at, duration_ms=1
            )
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            DeliveryAttempt.objects.filter(at__gt=clock.now() - timedelta(days=29)).delete()
        assert DeliveryAttempt.objects.filter(at__lt=clock.now() - timedelta(days=29)).delete()[0] == 2


def test_staff_read_everything_but_secrets_and_change_nothing() -> None:
    may = {
        (table, privilege)
        for table in ("endpoint", "endpointsecret", "delivery", "deliveryattempt")
        for privilege in ("SELECT", "INSERT", "UPDATE", "REFERENCES")
        if held("finops_staff", f"webhooks_{table}", privilege)
    }
    assert may == {("endpoint", "SELECT"), ("delivery", "SELECT"), ("deliveryattempt", "SELECT")}


def test_a_tenants_side_logs_no_attempt(delivery: Delivery, now: datetime) -> None:
    attempt = DeliveryAttempt(
        tenant_id=delivery.tenant_id, delivery=delivery, endpoint_id=delivery.endpoint_id, at=now, duration_ms=1
    )
    with (
        pytest.raises(DatabaseError, match="permission denied"),
        write_scope(system_actor("tests", tenant_id=delivery.tenant_id)),
    ):
        attempt.save(force_insert=True)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"status": "lost"}, "webhooks_delivery_finished_unless_pending"),
        ({"status": "succeeded"}, "webhooks_delivery_finished_unless_pending"),
        ({"finished_at": "now()"}, "webhooks_delivery_finished_unless_pending"),
        ({"status": "succeeded", "finished_at": "now()"}, "webhooks_delivery_only_pending_is_due"),
    ],
)
def test_states_that_cannot_be(delivery: Delivery, changes: dict[str, Any], constraint: str) -> None:
    assignments = ", ".join(f"{name} = {value if '(' in value else repr(value)}" for name, value in changes.items())
    with pytest.raises(IntegrityError, match=constraint), system_scope(), transaction.atomic():
        execute(f"UPDATE webhooks_delivery SET {assignments}")


def test_a_deleted_endpoint_is_disabled(delivery: Delivery) -> None:
    with (
        pytest.raises(IntegrityError, match="webhooks_endpoint_deleted_is_disabled"),
        write_scope(system_actor("tests", tenant_id=delivery.tenant_id)),
    ):
        Endpoint.objects.update(deleted_at="2026-03-02T12:00:00Z")
