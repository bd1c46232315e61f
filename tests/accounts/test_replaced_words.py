"""Whose words a posted row gets when several pending ones posted at once."""

import pytest

from apps.accounts.services import annotate_transaction
from apps.core import clock
from apps.core.actor import system_actor
from apps.providers.models import Connection
from tests.accounts.bank import Bank, assert_equal, find_row
from tests.factories.accounts import make_connection, sync

pytestmark = pytest.mark.worker_login


@pytest.fixture
def connection(acme, bank: Bank) -> Connection:
    """A connection that was synced once."""
    connection = make_connection(acme, bank.label)
    assert sync(connection).status == "succeeded"
    return connection


def post_noted_rides(connection: Connection, bank: Bank, *descriptions: str) -> list[tuple[str, str, str]]:
    """Add a pending ride per description, note its number on it, post all; return (pending, posted id, note)."""
    rides = [bank.add("-24.00", description=text, counterparty="UBER") for text in descriptions]
    sync(connection)
    actor = system_actor("tests", tenant_id=connection.tenant_id)
    for number, ride in enumerate(rides):
        row = find_row(ride["id"], connection.tenant_id)
        annotate_transaction(
            transaction_id=row.id, category=f"trip {number}", note=f"{number}", actor=actor, now=clock.now()
        )
    posted = [bank.post(ride) for ride in rides]
    sync(connection)
    return [(ride["id"], now["id"], f"{number}") for number, (ride, now) in enumerate(zip(rides, posted, strict=True))]


def test_exact_description_keeps_the_words_of_two_rides_apart(connection: Connection, bank: Bank) -> None:
    for pending, posted, note in post_noted_rides(connection, bank, "UBER AIRPORT", "UBER DOWNTOWN", "UBER 12"):
        row = find_row(posted, connection.tenant_id)
        assert row.replaces is not None
        assert (row.replaces.external_id, row.note, row.category) == (pending, note, f"trip {note}")
    assert_equal(bank, connection)


def test_words_of_rides_that_nothing_tells_apart_stay_on_the_removed_rows(connection: Connection, bank: Bank) -> None:
    rides = post_noted_rides(connection, bank, "UBER TRIP", "UBER TRIP")
    rows = [find_row(posted, connection.tenant_id) for _pending, posted, _note in rides]
    assert [(row.note, row.category_override) for row in rows] == [("", "")] * 2
    assert {row.replaces.external_id for row in rows if row.replaces} == {pending for pending, *_rest in rides}
    assert {row.replaces.note for row in rows if row.replaces} == {"0", "1"}
    assert_equal(bank, connection)
