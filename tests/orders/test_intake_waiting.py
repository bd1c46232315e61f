"""Waiting is bounded: for a key that another request holds, and for the lock of an account's risk row."""

import logging
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from apps.core.ids import new_id
from tests import databases
from tests.conftest import client_for
from tests.factories.orders import Desk, make_desk
from tests.factories.tenants import make_api_key
from tests.orders.intake import body_of, post, traces
from tests.threads import begin, blocked_sessions
from tests.waiting import wait_until

pytestmark = pytest.mark.commits

_TAKE = """
    INSERT INTO idempotency_record (id, tenant_id, key, fingerprint, headers, created_at, expires_at)
    VALUES (%s, %s, 'k', %s, '{}', now(), now() + interval '30 days')
"""


@pytest.fixture
def desk(acme) -> Desk:
    return make_desk(acme)


@pytest.fixture
def other(database: str) -> Iterator[psycopg.Connection[Any]]:
    """Another transaction, which is rolled back at the end."""
    with psycopg.connect(databases.url("owner", database)) as session:
        yield session
        session.rollback()


def hold_the_key(other: psycopg.Connection[Any], desk: Desk) -> None:
    other.execute(_TAKE, [new_id(), desk.tenant.id, b"0" * 32])


def hold_the_account(other: psycopg.Connection[Any], desk: Desk) -> None:
    other.execute("SELECT FROM orders_riskaccount WHERE id = %s FOR UPDATE", [desk.risk_account.id])


@pytest.mark.parametrize(
    ("hold", "status", "code"),
    [(hold_the_key, 409, "idempotency_in_flight"), (hold_the_account, 503, "service_unavailable")],
)
def test_whoever_waits_too_long_is_told_to_come_again(hold, status, code, desk: Desk, acme_trader, other, caplog):
    hold(other, desk)
    with caplog.at_level(logging.WARNING, "psycopg"):
        answer = post(acme_trader, body_of(desk), key="k")
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (status, code, "1")
    assert [record.message for record in caplog.records if record.name.startswith("psycopg")] == []
    other.rollback()
    assert traces(desk.tenant.id) == {}
    assert post(acme_trader, body_of(desk), key="k").status_code == 201


def test_whoever_waits_a_little_goes_on(desk: Desk, other):
    """The key is free once its transaction has rolled back; what was counted while waiting is what is then."""
    hold_the_key(other, desk)
    placing = begin(lambda: post(client_for(make_api_key(desk.tenant, "trader")), body_of(desk), key="k"))
    wait_until(blocked_sessions, what="the order to wait for the key")
    other.rollback()
    assert placing.result(30).status_code == 201
