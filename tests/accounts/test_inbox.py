"""A bank's webhooks as they come at their worst: twice, late, out of order. Each counts once, and the end is right."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from apps.accounts import tasks as _accounts  # noqa: F401  (its jobs)
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import tenant_scope
from apps.jobs.runner import run_next
from apps.outbox.models import OutboxEvent
from apps.providers import tasks as _providers  # noqa: F401  (the inbox's)
from apps.providers.models import Connection, InboundHook, SyncRun
from apps.providers.services import create_connection
from apps.tenants.models import Tenant
from tests import databases
from tests.accounts.bank import Bank, assert_equal
from tests.factories.accounts import sync
from tests.sandbox.conftest import Receiver

pytestmark = pytest.mark.worker_login
SECRET = "signing-secret-of-ours"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


@pytest.fixture
def connection(acme: Tenant, bank: Bank, settings) -> Connection:
    """A connection that was synced once, and knows its enrolment."""
    settings.TELLER_WEBHOOK_SECRETS = [SECRET]
    made = create_connection(
        provider="teller",
        credentials={"access_token": bank.token, "enrollment_id": bank.state()["enrollment_id"]},
        label="Bank",
        actor=system_actor("tests", tenant_id=acme.id),
        now=clock.now(),
    )
    assert sync(made).status == "succeeded"
    return made


def send_at_their_worst(bank: Bank, receiver: Receiver) -> list[tuple[dict[str, str], bytes]]:
    """Let things happen at the bank; return the webhooks as they arrive: six of four events."""
    sandbox = bank.sandbox
    sandbox.control("POST", "/teller/webhooks", url=receiver.url, secret=SECRET, token=bank.token)
    for kind in ("duplicate", "reorder", "drop_response"):
        sandbox.fault(kind, count=1, match="WEBHOOK ")
    row = bank.add("-7.00")
    receiver.wait_until(2)
    sandbox.control("POST", "/teller/enrollment", token=bank.token, status="disconnected", reason="account_locked")
    time.sleep(0.1)  # until it is held back
    sandbox.control("POST", "/teller/enrollment", token=bank.token, status="active")
    bank.post(row)
    receiver.wait_until(5)
    bank.add("-8.00")
    receiver.wait_until(6)
    sandbox.control("DELETE", "/teller/webhooks")
    return list(receiver.received)


def test_what_comes_twice_late_and_out_of_order_counts_once_and_ends_right(
    acme: Tenant, bank: Bank, connection: Connection, receiver: Receiver, database: str
) -> None:
    arrived = send_at_their_worst(bank, receiver)
    told = [(json.loads(body)["type"].partition(".")[0], json.loads(body)["id"]) for _headers, body in arrived]
    assert sorted(Counter(told).values()) == [1, 1, 2, 2]
    late = next(place for place, (noun, _id) in enumerate(told) if noun == "enrollment")
    assert late > 2  # it was the third to happen
    databases.log_in("web", database)
    for headers, body in arrived:
        given: dict[str, Any] = {"HTTP_TELLER_SIGNATURE": headers["Teller-Signature"]}
        assert Client().generic("POST", f"/hooks/teller/{connection.id}", body, **given).status_code == 200
    databases.log_in("worker", database)
    while any(run_next(queue, worker="tests") for queue in ("default", "sync")):
        pass
    assert_equal(bank, connection)
    with tenant_scope(acme.id):
        hooks = list(InboundHook.objects.order_by("received_at").values_list("state", "outcome"))
        runs = list(SyncRun.objects.order_by("id").values_list("trigger", "status"))
        created = [event.data["amount"] for event in OutboxEvent.objects.filter(type="transaction.created")]
        assert Connection.objects.get().status == "active"
    assert sorted(hooks) == [("processed", "sync_requested"), *[("processed", "sync_waiting")] * 3]
    assert runs[1:] == [("webhook", "succeeded")]
    assert [created.count(amount) for amount in ("-7", "-8")] == [1, 1]
