"""`outbox.sequence`: what is missing from the events is found."""

import pytest

from apps.core.scope import snapshot_scope
from apps.outbox.models import OutboxEvent
from apps.outbox.services import relay_events
from tests.factories.outbox import NOW, make_event
from tests.tampering import found, looked_at, tamper, verdicts

pytestmark = pytest.mark.worker_login

CHECK = "outbox.sequence"


@pytest.fixture
def events(acme, globex) -> list[OutboxEvent]:
    """Five events of acme after the one with which each tenant begins, relayed; one more waits."""
    made = [make_event(acme.id) for _ in range(5)]
    assert relay_events(now=NOW) == 7
    make_event(acme.id)
    with snapshot_scope():
        return list(OutboxEvent.objects.filter(id__in=[event.id for event in made]).order_by("sequence"))


def test_a_log_without_gaps_is_proved(events) -> None:
    assert looked_at(CHECK) == 7


def test_no_event_is_no_proof(database) -> None:
    [result] = verdicts(CHECK)
    assert (result.verdict, result.looked_at) == ("nothing", 0)


def test_deleted_events_are_gaps(events) -> None:
    tamper("DELETE FROM outbox_event WHERE id = ANY(%s)", [events[1].id, events[2].id])
    assert found(CHECK) == [("outbox_event", "3 to 4", "a row each", "no row")]
    [result] = verdicts(CHECK)
    assert (result.verdict, result.findings[0].tenant_id) == ("findings", events[0].tenant_id)


def test_a_log_that_was_cut_off_does_not_end_where_its_counter_says(events) -> None:
    tamper("DELETE FROM outbox_event WHERE id = %s", events[4].id)
    assert found(CHECK) == [("outbox_counter", "last_sequence", "last sequence 6", "last sequence 5")]


def test_a_counter_that_was_set_back_is_found(events) -> None:
    tamper("UPDATE outbox_counter SET last_sequence = 2 WHERE tenant_id = %s", events[0].tenant_id)
    assert found(CHECK) == [("outbox_counter", "last_sequence", "last sequence 2", "last sequence 6")]


def test_a_lost_counter_is_found(events) -> None:
    tamper("DELETE FROM outbox_counter WHERE tenant_id = %s", events[0].tenant_id)
    assert found(CHECK) == [("outbox_counter", "last_sequence", "last sequence 0", "last sequence 6")]


def test_an_event_that_is_half_relayed_is_found(events) -> None:
    tamper("UPDATE outbox_event SET relayed_at = NULL WHERE id = %s", events[3].id)
    row = ("outbox_event", str(events[3].id), "both or neither", "sequence 5, relayed at None")
    assert found(CHECK) == [row]
