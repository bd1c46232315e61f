"""SIGKILL before and after every statement of a POST: sent again, it has one effect and one answer."""

import random
import sys
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from apps.core.scope import tenant_scope, write_scope
from apps.orders.models import Order, RiskAccount
from tests.crash.ordeal import Ordeal
from tests.crash.wire import Boundary
from tests.factories.tenants import make_api_key
from tests.memory import forget_all
from tests.orders.storm.scene import Scene

pytestmark = pytest.mark.worker_login

SAMPLE = 2
ORDER = Counter(
    orders_order=1,
    orders_orderevent=1,
    orders_riskdecision=1,
    audit_entry=1,
    outbox_event=1,
    jobs_job=1,
    idempotency_record=1,
)
ENDPOINT = Counter(webhooks_endpoint=1, webhooks_endpointsecret=1, audit_entry=1, outbox_event=1, idempotency_record=1)
# What the gate judges by, as it is an hour after everybody went home.
LONG_AGO = """
UPDATE orders_riskaccount SET means_as_of = now() - interval '1 hour';
UPDATE market_quote SET venue_at = now() - interval '1 hour', received_at = now() - interval '1 hour';
UPDATE market_venueclock SET venue_at = now() - interval '1 hour', asked_at = now() - interval '1 hour',
                             received_at = now() - interval '1 hour'
"""


def say(line: str) -> None:
    """Print a line; pytest shows it with a failure, and with -s."""
    sys.stdout.write(f"{line}\n")


def sampled(boundaries: Sequence[Boundary]) -> list[Boundary]:
    """Return the last statement's boundaries, where the commit is, and a few others."""
    seed = random.randrange(10**6)
    say(f"seed {seed}")
    others = random.Random(seed).sample(boundaries[:-2], SAMPLE)
    return [boundary for boundary in boundaries if boundary in others or boundary in boundaries[-2:]]


def suffer_all(ordeal: Ordeal, boundaries: Sequence[Boundary]) -> None:
    """Die at each; from one on, and not before it, the first request had its effect."""
    say(f"{len(ordeal.statements)} statements, {len(boundaries)} boundaries:")
    had_effect = []
    for boundary in boundaries:
        had_effect.append(ordeal.suffer(boundary))
        text = ordeal.statements[boundary.statement][:80]
        say(f"  {boundary.side} {boundary.statement} {'done' if had_effect[-1] else 'undone'}: {text}")
    assert had_effect == sorted(had_effect)
    assert set(had_effect) == {False, True}


def order_body(scene: Scene) -> dict[str, Any]:
    with write_scope(scene.desk.actor):
        endless = {"max_orders_per_minute": 10**6, "max_position_value": 10**9, "max_concentration": 100}
        means = {"equity": Decimal(10**9), "buying_power": Decimal(10**9)}
        RiskAccount.objects.filter(id=scene.desk.risk_account.id).update(**endless, **means)
    return {
        "account_id": str(scene.desk.account.id),
        "instrument": scene.desk.listing.instrument.key,
        "side": "buy",
        "type": "limit",
        "quantity": "1",
        "limit_price": "1.25",
    }


def assert_the_venue_has_each_once(scene: Scene) -> None:
    scene.take_over(seconds=60)
    with tenant_scope(scene.desk.tenant.id):
        ours = Counter(Order.objects.values_list("client_order_id", flat=True))
    assert Counter(order["client_order_id"] for order in scene.venue_orders()) == ours
    assert scene.posts() == ours.total()


@pytest.fixture
def placing(scene: Scene, ordeal: Ordeal) -> Ordeal:
    secret = make_api_key(scene.desk.tenant, role="trader")
    ordeal.trace("/api/v1/orders", order_body(scene), secret=secret)
    assert ordeal.footprint == ORDER
    return ordeal


@pytest.fixture
def subscribing(ordeal: Ordeal, acme: Any) -> Ordeal:
    body = {"url": "https://hooks.example.com/finops", "event_types": ["order.*"]}
    ordeal.trace("/api/v1/webhooks/endpoints", body, secret=make_api_key(acme))
    assert ordeal.footprint == ENDPOINT
    return ordeal


def test_an_order_at_some_boundaries(scene: Scene, placing: Ordeal) -> None:
    suffer_all(placing, sampled(list(placing.boundaries())))
    assert_the_venue_has_each_once(scene)


@pytest.mark.prove
def test_an_order_at_every_boundary(scene: Scene, placing: Ordeal) -> None:
    suffer_all(placing, list(placing.boundaries()))
    assert_the_venue_has_each_once(scene)


@pytest.mark.prove
def test_an_order_that_has_to_ask_the_venue_first_at_every_boundary(scene: Scene, ordeal: Ordeal) -> None:
    """Several transactions and three calls over HTTP come before the one that counts."""

    def prepare() -> None:
        scene.owner.execute(LONG_AGO)
        forget_all()  # so long ago, too, that nobody is asking any more

    body, secret = order_body(scene), make_api_key(scene.desk.tenant, role="trader")
    ordeal.trace("/api/v1/orders", body, secret=secret, prepare=prepare)
    assert ordeal.footprint == ORDER
    suffer_all(ordeal, list(ordeal.boundaries()))
    assert_the_venue_has_each_once(scene)


@pytest.mark.prove
def test_an_endpoint_at_every_boundary(subscribing: Ordeal) -> None:
    suffer_all(subscribing, list(subscribing.boundaries()))
