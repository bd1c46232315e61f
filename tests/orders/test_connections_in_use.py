"""A connection that carries open orders is not let go: they would stand where nobody could cancel them."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from apps.accounts.models import Account
from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.scope import tenant_scope, write_scope
from apps.orders.enums import OrderStatus
from apps.orders.rules.states import OPEN_STATES, TERMINAL_STATES
from apps.orders.services.locking import lock_risk_account
from apps.outbox.models import OutboxEvent
from apps.providers.errors import ConnectionInUse
from apps.providers.models import Connection, Credentials
from apps.providers.services import delete_connection
from tests.conftest import client_for
from tests.factories.orders import Desk, make_desk, make_order
from tests.factories.tenants import make_api_key
from tests.orders.intake import body_of, post, traces
from tests.threads import begin, blocked_sessions
from tests.waiting import wait_until

DELETION = ("connection.deleted", "account.updated")


def state_of(desk: Desk) -> tuple[str, str, int, int, int]:
    """Return the states of connection and account, and how many credentials, leaves and events of a deletion exist."""
    with tenant_scope(desk.tenant.id):
        return (
            Connection.objects.get(id=desk.connection.id).status,
            Account.objects.get(id=desk.account.id).status,
            Credentials.objects.filter(connection=desk.connection).count(),
            AuditEntry.objects.filter(action__in=DELETION).count(),
            OutboxEvent.objects.filter(type__in=DELETION).count(),
        )


@pytest.mark.parametrize("status", sorted(OPEN_STATES))
def test_an_open_order_keeps_its_connection(acme, acme_admin, status):
    desk = make_desk(acme)
    make_order(desk, status)

    answer = acme_admin.delete(f"/api/v1/connections/{desk.connection.id}")

    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["open_orders"]) == (409, "connection_in_use", 1)
    assert problem["detail"] == "1 order is open on this connection. Cancel it first and wait until it has ended."
    assert state_of(desk) == ("active", "open", 1, 0, 0)


def test_all_of_them_are_counted_and_no_others(acme, globex, acme_admin):
    desk, other = make_desk(acme), make_desk(acme, key_id="PKOTHERDESK")
    for status in (OrderStatus.ACCEPTED, OrderStatus.UNKNOWN, *TERMINAL_STATES):
        make_order(desk, status)
    make_order(make_desk(globex))

    answer = acme_admin.delete(f"/api/v1/connections/{desk.connection.id}")

    assert (answer.status_code, answer.json()["open_orders"]) == (409, 2)
    assert answer.json()["detail"].startswith("2 orders are open on this connection. Cancel them first")
    assert acme_admin.delete(f"/api/v1/connections/{other.connection.id}").status_code == 204


def test_once_they_have_ended_it_goes(acme, acme_admin):
    desk = make_desk(acme)
    for status in TERMINAL_STATES:
        make_order(desk, status)

    assert acme_admin.delete(f"/api/v1/connections/{desk.connection.id}").status_code == 204

    assert state_of(desk) == ("disabled", "closed", 0, 2, 2)


def begin_to_wait(work: Callable[[], Any]) -> Future[Any]:
    """Begin `work` in a thread and return once it waits for a lock."""
    begun = begin(work)
    wait_until(blocked_sessions, what="a session that waits")
    return begun


@pytest.mark.commits
def test_an_order_that_is_being_placed_keeps_its_connection(acme):
    desk = make_desk(acme)
    with write_scope(desk.actor):
        lock_risk_account(desk.risk_account.id)
        deleted = begin_to_wait(lambda: delete(desk))
        make_order(desk)

    with pytest.raises(ConnectionInUse):
        deleted.result(30)
    assert state_of(desk) == ("active", "open", 1, 0, 0)


@pytest.mark.commits
def test_an_order_finds_that_its_connection_is_being_let_go(acme):
    desk = make_desk(acme)
    client = client_for(make_api_key(acme, "trader"))
    with write_scope(desk.actor):
        delete(desk)
        placed = begin_to_wait(lambda: post(client, body_of(desk)))

    answer = placed.result(30)
    assert (answer.status_code, answer.json()["code"]) == (409, "account_not_tradable")
    assert traces(acme.id) == {}
    assert state_of(desk) == ("disabled", "closed", 0, 2, 2)


def delete(desk: Desk) -> Connection:
    return delete_connection(connection_id=desk.connection.id, actor=desk.actor, now=clock.now())
