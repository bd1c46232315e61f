"""Webhook deliveries of one worker, against a bare loop that posts the same bodies to the same sink.

Ours claims, signs, sends through the guarded client, and settles with a row for each attempt. The peer gets the
bodies for nothing and keeps no record.
"""

import asyncio
from collections.abc import Iterator, Mapping
from time import perf_counter

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.ids import new_id
from apps.core.scope import system_scope, write_scope
from apps.outbox.services import emit_many, relay_events
from apps.outbox.types import NewEvent
from apps.tenants.models import Tenant
from apps.tenants.services import create_tenant
from apps.webhooks.models import Delivery, DeliveryAttempt
from apps.webhooks.sending import Sender
from apps.webhooks.services import create_endpoint
from benchmarks.baselines.post_loop import post_all
from benchmarks.platform import process
from benchmarks.result import Result
from finops.embedded import ports

DELIVERIES = 5_000
ROUNDS = 3


def webhooks_benchmark(environment: Mapping[str, str]) -> Iterator[Result]:
    """Measure deliveries a second, ours and the peer's in turns."""
    port = ports.choose()
    url = f"http://127.0.0.1:{port}/hook"
    ours, peer = [], []
    with process(["-m", "benchmarks.sink", "--port", str(port)], environment, ready=url):
        for number in range(ROUNDS):
            bodies = _queue(number, url)
            started = perf_counter()
            sent = asyncio.run(Sender().run(until_idle=True))
            ours.append(sent / (perf_counter() - started))
            _require_all_delivered(number)
            started = perf_counter()
            asyncio.run(post_all(url, bodies))
            peer.append(len(bodies) / (perf_counter() - started))
    yield Result(name=f"webhooks_{DELIVERIES}", unit="deliveries/s", ours=ours, peer=peer)


def _queue(number: int, url: str) -> list[bytes]:
    """Emit and relay events of as many orders, for one endpoint of a new tenant; return what is to be sent."""
    platform, now = system_actor("benchmark"), clock.now()
    tenant = create_tenant(slug=f"hooks-{number}", name="Hooks", actor=platform, now=now)
    actor = system_actor("benchmark", tenant_id=tenant.id)
    create_endpoint(url=url, event_types=["order.*"], actor=actor, now=now)
    _emit(tenant)
    while relay_events(now=clock.now()):
        pass
    with system_scope():
        bodies = Delivery.objects.filter(tenant_id=tenant.id).values_list("body", flat=True)
        return [body.encode() for body in bodies]


def _emit(tenant: Tenant) -> None:
    actor = system_actor("benchmark", tenant_id=tenant.id)
    with write_scope(actor):
        events = [
            NewEvent(type="order.filled", entity_type="order", entity_id=new_id(), data=order_data(number))
            for number in range(DELIVERIES)
        ]
        emit_many(events, actor=actor, now=clock.now())


def order_data(number: int) -> dict[str, object]:
    return {
        "id": new_id(),
        "client_order_id": f"order-{number}",
        "account_id": new_id(),
        "instrument": "XNAS:AAPL",
        "side": "buy",
        "type": "limit",
        "quantity": "10",
        "limit_price": "190.25",
        "time_in_force": "day",
        "status": "filled",
        "filled_quantity": "10",
        "average_fill_price": "190.21",
        "version": 5,
    }


def _require_all_delivered(number: int) -> None:
    with system_scope():
        assert not Delivery.objects.exclude(status="succeeded").exists()
        assert DeliveryAttempt.objects.count() == DELIVERIES * (number + 1)
