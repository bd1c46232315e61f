"""Retention: what ended long ago is forgotten from the beginning of each queue, and the rest still proves itself."""

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError

from apps.core import clock
from apps.core.scope import snapshot_scope, system_scope
from apps.webhooks.models import Delivery, DeliveryAttempt, Endpoint
from apps.webhooks.services import NewEndpoint, forget_deliveries, forgettable_endpoints
from apps.webhooks.tasks import forget_deliveries as forget_all
from tests.factories.webhooks import answer_due, make_endpoint, relay
from tests.tampering import found, looked_at, tamper

pytestmark = pytest.mark.worker_login

CHECKS = ("webhooks.events", "webhooks.queues")


@pytest.fixture
def old() -> datetime:
    return clock.now() - timedelta(days=91)


@pytest.fixture
def made(acme, old) -> NewEndpoint:
    """An endpoint whose first three deliveries ended 91 days ago, the fourth one now; the fifth waits."""
    made = make_endpoint(acme, now=old - timedelta(hours=1))
    for _ in range(3):
        relay(acme, now=old)
    assert answer_due(old, status=200, error="") == 3
    relay(acme)
    assert answer_due(status=200, error="") == 1
    relay(acme)
    return made


def before() -> datetime:
    return clock.now() - timedelta(days=90)


def kept() -> tuple[list[int], int]:
    """Return the sequences of the deliveries that there are, and how many attempts."""
    with snapshot_scope():
        return list(Delivery.objects.order_by("sequence").values_list("sequence", flat=True)), (
            DeliveryAttempt.objects.count()
        )


def test_what_ended_long_ago_goes_in_batches_with_its_attempts(made) -> None:
    endpoint_id = made.endpoint.id
    assert (kept(), forgettable_endpoints(before=before())) == (([1, 2, 3, 4, 5], 4), [endpoint_id])
    assert [forget_deliveries(endpoint_id=endpoint_id, before=before(), batch=2) for _ in range(3)] == [2, 1, 0]
    assert (kept(), forgettable_endpoints(before=before())) == (([4, 5], 1), [])
    with snapshot_scope():
        endpoint = Endpoint.objects.get()
    assert (endpoint.forgotten_up_to, endpoint.last_sequence) == (3, 5)


def test_beat_forgets_it_all(made) -> None:
    forget_all()
    assert kept() == ([4, 5], 1)


def test_what_waits_keeps_what_is_after_it(made, old) -> None:
    tamper(
        "UPDATE webhooks_delivery SET status = 'pending', finished_at = NULL, next_attempt_at = %s WHERE sequence = 2",
        clock.now(),
    )
    forget_all()
    assert kept() == ([2, 3, 4, 5], 3)


def test_what_is_left_is_proved_and_a_gap_in_it_is_found(made) -> None:
    whole = [looked_at(name) for name in CHECKS]
    forget_all()
    assert found(*CHECKS) == []
    assert looked_at("webhooks.queues") == whole[1] - 3
    assert looked_at("webhooks.events") < whole[0]
    with snapshot_scope():
        first, last = Delivery.objects.order_by("sequence")
    tamper("DELETE FROM webhooks_deliveryattempt")
    tamper("DELETE FROM webhooks_delivery WHERE id = %s", first.id)
    assert found("webhooks.queues") == [("webhooks_delivery", str(last.id), "4 after it", f"5 after {first.id}")]
    assert [row[1] for row in found("webhooks.events")] == [str(first.event_id)]


def test_an_endpoint_of_which_nothing_is_kept_is_proved_and_goes_on(made, acme, old) -> None:
    answer_due(status=200, error="")
    tamper("UPDATE webhooks_deliveryattempt SET at = %s", old)
    tamper("UPDATE webhooks_delivery SET finished_at = %s", old)
    forget_all()
    assert (kept(), found(*CHECKS)) == (([], 0), [])
    relay(acme)
    assert (kept(), found(*CHECKS)) == (([6], 0), [])


def test_the_database_lets_nobody_delete_a_young_attempt(made) -> None:
    refused = pytest.raises(IntegrityError, match="webhooks_deliveryattempt is append-only")
    with refused, system_scope():
        DeliveryAttempt.objects.all().delete()
    assert kept() == ([1, 2, 3, 4, 5], 4)
