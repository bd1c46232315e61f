"""`webhooks.*`: a delivery that is missing, out of its order or never was made is found."""

from datetime import timedelta

import pytest

from apps.core import clock
from apps.core.scope import snapshot_scope
from apps.webhooks.models import Delivery
from apps.webhooks.services import NewEndpoint
from tests.factories.webhooks import make_endpoint, relay
from tests.tampering import found, looked_at, tamper

pytestmark = pytest.mark.worker_login

CHECKS = ("webhooks.events", "webhooks.queues")


@pytest.fixture
def made(acme) -> NewEndpoint:
    """An endpoint that was made an hour ago, and has four deliveries since."""
    made = make_endpoint(acme, now=clock.now() - timedelta(hours=1))
    for _ in range(4):
        relay(acme)
    relay(acme, type="account.created")  # which it has not subscribed to
    return made


@pytest.fixture
def deliveries(made) -> list[Delivery]:
    with snapshot_scope():
        return list(Delivery.objects.order_by("sequence"))


def test_complete_queues_are_proved(deliveries) -> None:
    assert looked_at("webhooks.queues") == 4
    assert looked_at("webhooks.events") == 7  # with the tenant's and the endpoint's own


def test_a_deleted_delivery_is_missed_in_the_queue_and_by_its_event(deliveries) -> None:
    tamper("DELETE FROM webhooks_delivery WHERE id = %s", deliveries[1].id)
    assert found(*CHECKS) == [
        (
            "outbox_event",
            str(deliveries[1].event_id),
            f"a delivery to endpoint {deliveries[1].endpoint_id}",
            "none of order.submitted",
        ),
        ("webhooks_delivery", str(deliveries[2].id), "2 after it", f"3 after {deliveries[1].id}"),
    ]


def test_a_queue_that_was_cut_off_does_not_end_where_it_should(deliveries) -> None:
    tamper("DELETE FROM webhooks_delivery WHERE id = %s", deliveries[3].id)
    cut = ("webhooks_endpoint", str(deliveries[3].endpoint_id), "last sequence 4", "last sequence 3")
    assert found("webhooks.queues") == [cut]


def test_an_endpoint_that_was_deleted_is_missed_by_its_deliveries(made, deliveries) -> None:
    tamper("DELETE FROM webhooks_endpoint WHERE id = %s", made.endpoint.id)
    assert found("webhooks.queues") == [("webhooks_endpoint", str(made.endpoint.id), "a row", "no row")]


def test_what_is_kept_for_an_endpoint_that_was_given_up_is_looked_for_too(made, deliveries) -> None:
    tamper("DELETE FROM webhooks_delivery WHERE id = %s", deliveries[1].id)
    lost = [("outbox_event", str(deliveries[1].event_id), f"a delivery to endpoint {made.endpoint.id}")]
    for held_until, missed in (("now() + interval '1 day'", lost), ("now()", [])):
        tamper(f"UPDATE webhooks_endpoint SET status = 'disabled', held_until = {held_until}")
        assert [row[:3] for row in found("webhooks.events")] == missed


def test_a_delivery_that_names_another_one_before_it_is_found(deliveries) -> None:
    tamper("UPDATE webhooks_delivery SET previous_id = NULL WHERE id = %s", deliveries[2].id)
    expected, there = f"3 after {deliveries[1].id}", "3 after None"
    assert found(*CHECKS) == [("webhooks_delivery", str(deliveries[2].id), expected, there)]


def test_a_success_that_no_attempt_shows_is_found(deliveries) -> None:
    tamper(
        "UPDATE webhooks_delivery SET status = 'succeeded', finished_at = now(), next_attempt_at = NULL WHERE id = %s",
        deliveries[0].id,
    )
    row = ("webhooks_delivery", str(deliveries[0].id), "an attempt that succeeded", "none")
    assert found(*CHECKS) == [row]


def test_an_endpoint_was_told_of_nothing_before_its_last_change(deliveries) -> None:
    tamper("DELETE FROM webhooks_delivery WHERE id = %s", deliveries[1].id)
    tamper("UPDATE webhooks_endpoint SET updated_at = now()")
    assert found("webhooks.events") == []
