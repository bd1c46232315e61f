"""What people ask of deliveries: a test, or one again."""

from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from apps.audit import services as audit
from apps.core.actor import Actor
from apps.core.db.finding import get_one
from apps.core.ids import new_id
from apps.core.scope import current_tenant_id, request_wake, write_scope
from apps.webhooks import events
from apps.webhooks.models import Delivery
from apps.webhooks.services import queueing
from apps.webhooks.services.changing import record
from apps.webhooks.services.fanout import message
from apps.webhooks.services.locking import locked_enabled_endpoint


def send_test_event(*, endpoint_id: UUID, actor: Actor, now: datetime) -> Delivery:
    """Queue a `webhook.test` for an endpoint, whatever it has subscribed to.

    Raises:
        NotFound, EndpointDisabled: see `locked_enabled_endpoint`.
    """
    with write_scope(actor):
        endpoint = locked_enabled_endpoint(endpoint_id)
        # An entity of its own: a test waits for no other one.
        event_id = new_id()
        data: events.TestData = {"endpoint_id": endpoint.id, "message": _("This is a test.")}
        tails = {endpoint.id: queueing.Tail(endpoint.last_sequence, endpoint.last_delivery_id)}
        (delivery_id,) = queueing.add(
            [message(event_id, events.TEST, event_id, at=now, data=data)],
            [(endpoint.id, 0)],
            tenant_id=current_tenant_id(),
            tails=tails,
            now=now,
        )
        record(events.ENDPOINT_TESTED, endpoint.id, {"delivery_id": [None, delivery_id]}, actor, now)
        request_wake("webhooks")
        return Delivery.objects.get(id=delivery_id)


def retry_delivery(*, delivery_id: UUID, actor: Actor, now: datetime) -> Delivery:
    """Send a delivery now, whatever became of it: one that waits is due at once, one that is over starts afresh.

    It keeps its id, sequence and bytes. Behind an earlier pending delivery of its entity it waits for its turn.

    Raises:
        NotFound: the actor's tenant has no such delivery, or its endpoint was deleted.
        EndpointDisabled: see the class.
    """
    with write_scope(actor):
        found = get_one(Delivery.objects.filter(id=delivery_id).values_list("endpoint_id", flat=True))
        locked_enabled_endpoint(found)
        delivery = Delivery.objects.select_for_update(no_key=True).get(id=delivery_id)
        before = delivery.status
        queueing.queue_again(Delivery.objects.filter(id=delivery_id), now=now)
        delivery.refresh_from_db()
        audit.record(
            action=events.DELIVERY_RETRIED,
            actor=actor,
            target_type="webhook_delivery",
            target_id=delivery.id,
            now=now,
            changes={"status": [before, delivery.status]},
        )
        request_wake("webhooks")
    return delivery
