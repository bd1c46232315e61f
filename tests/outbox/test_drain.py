"""One run of the relay: whoever has little goes first, and whoever is stuck holds nobody up."""

from contextlib import AbstractContextManager
from dataclasses import replace
from uuid import UUID

import pytest

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import system_scope, write_scope
from apps.core.sequencing import Numbered, drain, sequence_pending
from apps.outbox.models import OutboxEvent
from apps.outbox.services import OUTBOX
from apps.webhooks.models import Endpoint
from tests.factories.outbox import make_event
from tests.factories.webhooks import make_endpoint
from tests.threads import begin, held

pytestmark = pytest.mark.worker_login

ACME = UUID("0198c5a0-0000-7000-8000-00000000000a")
GLOBEX = UUID("0198c5a0-0000-7000-8000-00000000000b")
INITECH = UUID("0198c5a0-0000-7000-8000-00000000000c")


def pending() -> dict[UUID, int]:
    with system_scope():
        tenants = OutboxEvent.objects.filter(sequence=None).values_list("tenant_id", flat=True)
        return {tenant: list(tenants).count(tenant) for tenant in tenants}


def locked(endpoint: Endpoint) -> AbstractContextManager[None]:
    """Hold an endpoint's row in a transaction that stays open while the block runs."""
    actor = system_actor("tests", tenant_id=endpoint.tenant_id)
    return held(lambda: write_scope(actor), lambda: Endpoint.objects.select_for_update().get(id=endpoint.id))


def test_everything_is_relayed_in_one_run() -> None:
    for tenant, events in ((ACME, 5), (GLOBEX, 1), (INITECH, 3)):
        for _number in range(events):
            make_event(tenant)
    assert drain(OUTBOX, batch_rows=2) == 9
    assert pending() == {}


def test_who_comes_while_a_long_queue_is_relayed_waits_for_one_batch() -> None:
    for _number in range(10):
        make_event(ACME)
    order: list[UUID | None] = []

    def watch(batch: Numbered) -> None:
        order.append(batch.tenant_id)
        if len(order) in (2, 4):
            begin(lambda: make_event(GLOBEX if len(order) == 2 else INITECH)).result(20)

    assert drain(replace(OUTBOX, on_numbered=watch), batch_rows=2) == 12
    assert order == [ACME, ACME, GLOBEX, ACME, INITECH, ACME, ACME]


def test_two_long_queues_take_turns() -> None:
    for tenant in (ACME, GLOBEX):
        for _number in range(6):
            make_event(tenant)
    order: list[UUID | None] = []
    drain(replace(OUTBOX, on_numbered=lambda batch: order.append(batch.tenant_id)), batch_rows=2)
    assert order == [ACME, GLOBEX] * 3


def test_a_run_ends_in_time_and_the_next_goes_on() -> None:
    for _number in range(4):
        make_event(ACME)
    assert drain(OUTBOX, seconds=0) == 0
    assert pending() == {ACME: 4}
    assert drain(OUTBOX) == 4


def test_an_event_that_nobody_can_take_rests_and_the_others_go_on() -> None:
    asked: list[UUID | None] = []
    is_broken = True

    def take(batch: Numbered) -> None:
        asked.append(batch.tenant_id)
        if is_broken and batch.tenant_id == ACME:
            raise ZeroDivisionError

    stream = replace(OUTBOX, on_numbered=take)
    for round_ in range(3):
        for tenant in (ACME, GLOBEX):
            make_event(tenant)
        assert drain(stream) == 1, round_
    assert pending() == {ACME: 3}
    assert asked == [ACME, GLOBEX, GLOBEX, GLOBEX]
    is_broken = False
    assert sequence_pending(stream, now=clock.now()) == 3
    make_event(ACME)
    assert drain(stream) == 1, "it is well again, so it rests no more"


def test_a_transaction_that_holds_a_tenants_endpoint_delays_that_tenant_alone(acme, globex):
    endpoint = make_endpoint(acme).endpoint
    drain(OUTBOX)
    with locked(endpoint):
        for tenant in (acme, globex):
            make_event(tenant.id)
        assert drain(OUTBOX) == 1
        assert pending() == {acme.id: 1}
        make_event(globex.id)
        assert drain(OUTBOX) == 1
    assert pending() == {acme.id: 1}
    assert sequence_pending(OUTBOX, now=clock.now()) == 1
