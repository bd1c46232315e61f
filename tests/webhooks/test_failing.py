"""An endpoint that fails for days: its owners are told, it is given up, and it comes back without a loss."""

from datetime import datetime, timedelta
from random import Random

import pytest
from django.core import mail

import apps.webhooks.tasks  # noqa: F401  (registers the handlers, as a worker does when it starts)
from apps.audit.models import AuditEntry
from apps.core.actor import Actor, system_actor
from apps.core.ids import new_id
from apps.core.scope import tenant_scope
from apps.incidents.models import Incident
from apps.jobs.runner import run_next
from apps.outbox.models import OutboxEvent
from apps.webhooks.models import Endpoint
from apps.webhooks.patience import Step
from apps.webhooks.services import (
    claim,
    enable_endpoint,
    look_after,
    settle,
    update_endpoint,
    watched_endpoints,
)
from apps.webhooks.types import Attempt
from tests import databases
from tests.factories.tenants import make_member
from tests.factories.webhooks import (
    answer_due,
    deliveries_of,
    fail_due,
    make_endpoint,
    relay,
    statuses_of,
    stored_endpoint,
)

pytestmark = pytest.mark.worker_login
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def actor(acme) -> Actor:
    return system_actor("tests", tenant_id=acme.id)


@pytest.fixture
def members(acme, database: str) -> None:
    """Three people, whom a worker could not have made."""
    databases.log_in("web", database)
    for name, role in (("olivia", "owner"), ("adam", "admin"), ("vera", "viewer")):
        make_member(acme, name, role)
    databases.log_in("worker", database)


def look(now: datetime) -> list[Step | None]:
    return [look_after(watched, now=now) for watched in watched_endpoints()]


def fail_until(acme, start: datetime, end: datetime) -> None:
    """Let everything that is sent within this time fail: an event and a look every hour, as beat does."""
    at = start
    while at <= end:
        relay(acme, now=at)
        fail_due(at)
        look(at)
        at += HOUR


def events_of(endpoint: Endpoint, type_: str) -> list[dict]:
    with tenant_scope(endpoint.tenant_id):
        rows = OutboxEvent.objects.filter(entity_id=endpoint.id, type=type_).order_by("position")
        return list(rows.values_list("data", flat=True))


def incidents_of(endpoint: Endpoint) -> list[tuple[str, str, str, int]]:
    with tenant_scope(endpoint.tenant_id):
        rows = Incident.objects.filter(key=str(endpoint.id)).order_by("id")
        return list(rows.values_list("kind", "state", "severity", "count"))


def send_letters(now: datetime) -> list[tuple[str, str]]:
    """Run the jobs and return who was written to, and the subjects."""
    del mail.outbox[:]
    while run_next("default", worker="tests", now=now):
        pass
    return sorted((letter.to[0], str(letter.subject)) for letter in mail.outbox)


def attempt(endpoint: Endpoint, now: datetime, *, error: str, duration_ms: int = 0) -> None:
    (claimed,) = [
        one for one in claim(slots=100, shares={}, rooms={}, default_room=1, now=now) if one.endpoint_id == endpoint.id
    ]
    settle([Attempt(claim=claimed, at=now, duration_ms=duration_ms, error=error)], random=Random(1), now=now)


def test_the_first_failure_is_remembered_until_something_arrives(acme, now: datetime) -> None:
    endpoint = make_endpoint(acme, now=now).endpoint
    relay(acme, now=now)
    fail_due(now)
    assert stored_endpoint(endpoint).failing_since == now
    later = now + timedelta(seconds=10)
    fail_due(later)
    assert stored_endpoint(endpoint).failing_since == now
    relay(acme, now=later)
    answer_due(later, status=200, error="")
    assert stored_endpoint(endpoint).failing_since is None
    assert stored_endpoint(endpoint).version == 1


def test_within_one_settlement_the_last_word_counts(acme, now: datetime) -> None:
    endpoint = make_endpoint(acme, now=now).endpoint
    for _ in range(3):
        relay(acme, now=now)
    claims = claim(slots=100, shares={}, rooms={}, default_room=10, now=now)
    ends = [(claims[0], 300, ""), (claims[1], 100, "timeout"), (claims[2], 500, "http_error")]
    attempts = [Attempt(claim=one, at=now, duration_ms=took, error=error) for one, took, error in ends]
    settle(attempts, random=Random(1), now=now)
    assert stored_endpoint(endpoint).failing_since == now
    relay(acme, now=now)
    (claimed,) = claim(slots=100, shares={}, rooms={}, default_room=10, now=now)
    # It ended before the failure began, and is told of late.
    early = Attempt(claim=claimed, at=now - timedelta(seconds=5), duration_ms=10)
    settle([early], random=Random(1), now=now)
    assert stored_endpoint(endpoint).failing_since == now


def test_a_secret_that_we_cannot_open_is_not_the_receivers_failure(acme, now: datetime) -> None:
    endpoint = make_endpoint(acme, now=now).endpoint
    relay(acme, now=now)
    attempt(endpoint, now, error="secret_unreadable")
    assert stored_endpoint(endpoint).failing_since is None


def test_owners_are_told_three_times_and_then_it_is_disabled(acme, members, now: datetime) -> None:
    endpoint = make_endpoint(acme, "https://hooks.example.com/in", description="the shop", now=now).endpoint
    fail_until(acme, now, now + 6 * HOUR - timedelta(microseconds=1))
    assert (incidents_of(endpoint), send_letters(now)) == ([], [])
    for number, after in enumerate((6 * HOUR, 2 * DAY, 4 * DAY), 1):
        fail_until(acme, now + after, now + after)
        subject = f"A webhook endpoint is failing, notice {number} of 3: hooks.example.com"
        assert send_letters(now + after) == [("adam@example.com", subject), ("olivia@example.com", subject)]
        (told,) = events_of(endpoint, "webhook_endpoint.failing")[number - 1 :]
        assert (told["notice"], told["id"], told["url"]) == (number, str(endpoint.id), endpoint.url)
        assert datetime.fromisoformat(told["disabled_from"]) == now + 5 * DAY
        severity = "critical" if number == 3 else "warning"
        assert incidents_of(endpoint) == [("webhook_endpoint.failing", "open", severity, number)]
        assert look(now + after) == [None]
    assert "The last answer was 500." in mail.outbox[0].body
    assert "the shop" not in mail.outbox[0].body  # a letter of ours says nothing in a client's words
    assert stored_endpoint(endpoint).status == "enabled"
    fail_until(acme, now + 5 * DAY, now + 5 * DAY)
    stored = stored_endpoint(endpoint)
    assert (stored.status, stored.disabled_reason, stored.failing_since) == ("disabled", "failing", now)
    assert stored.held_until == now + 35 * DAY
    assert incidents_of(endpoint) == [
        ("webhook_endpoint.failing", "resolved", "critical", 3),
        ("webhook_endpoint.disabled", "open", "warning", 1),
    ]
    assert "pending" not in statuses_of(endpoint)
    assert len(events_of(endpoint, "webhook_endpoint.disabled")) == 1
    subject = "A webhook endpoint was disabled: hooks.example.com"
    assert send_letters(now + 5 * DAY) == [("adam@example.com", subject), ("olivia@example.com", subject)]
    assert f"/api/v1/webhooks/endpoints/{endpoint.id}/enable" in mail.outbox[0].body
    with tenant_scope(acme.id):
        leaves = AuditEntry.objects.filter(target_id=str(endpoint.id)).order_by("position")
        assert list(leaves.values_list("action", flat=True)) == [
            "webhook_endpoint.created",
            *["webhook_endpoint.failing"] * 3,
            "webhook_endpoint.disabled",
        ]


def test_who_is_well_again_is_left_alone_and_the_next_failure_begins_anew(acme, members, now: datetime) -> None:
    endpoint = make_endpoint(acme, now=now).endpoint
    fail_until(acme, now, now + 6 * HOUR)
    relay(acme, now=now + 7 * HOUR)
    answer_due(now + 7 * HOUR, status=200, error="")
    assert incidents_of(endpoint) == [("webhook_endpoint.failing", "open", "warning", 1)]
    assert look(now + 7 * HOUR) == [None]
    assert incidents_of(endpoint) == [("webhook_endpoint.failing", "resolved", "warning", 1)]
    assert list(watched_endpoints()) == []
    # The letter had not been sent yet: there is nothing to tell any more.
    assert send_letters(now + 7 * HOUR) == []
    fail_until(acme, now + 8 * HOUR, now + 14 * HOUR)
    assert [told["notice"] for told in events_of(endpoint, "webhook_endpoint.failing")] == [1, 1]


def give_up(acme, now: datetime) -> Endpoint:
    endpoint = make_endpoint(acme, now=now).endpoint
    for after in (timedelta(0), 6 * HOUR, 2 * DAY, 4 * DAY, 5 * DAY):
        fail_until(acme, now + after, now + after)
    assert stored_endpoint(endpoint).status == "disabled"
    return endpoint


def test_it_comes_back_with_everything_since_the_first_failure_in_order(acme, actor: Actor, now: datetime) -> None:
    order = new_id()
    arrived = make_endpoint(acme, now=now).endpoint
    relay(acme, now=now)
    answer_due(now, status=200, error="")
    update_endpoint(endpoint_id=arrived.id, status="disabled", actor=actor, now=now)
    endpoint = give_up(acme, now)
    gone = now + 6 * DAY
    for _ in range(3):
        relay(acme, entity_id=order, now=gone)
    relay(acme, now=now + 36 * DAY)  # after what is kept for it
    kept = deliveries_of(endpoint)
    assert [one.status for one in kept[-3:]] == ["discarded"] * 3
    assert [one.sequence for one in kept] == list(range(1, 9))
    back = now + 7 * DAY
    enabled, begun = enable_endpoint(endpoint_id=endpoint.id, actor=actor, now=back)
    assert (enabled.status, enabled.disabled_reason, enabled.failing_since) == ("enabled", "", None)
    assert begun is not None
    assert (begun.since, begun.total, begun.queued_again, begun.status) == (now, 8, 8, "finished")
    assert statuses_of(endpoint) == ["pending"] * 8
    assert incidents_of(endpoint)[-1][:2] == ("webhook_endpoint.disabled", "resolved")
    relay(acme, entity_id=order, now=back)
    claims = claim(slots=100, shares={}, rooms={}, default_room=100, now=back)
    assert [one.sequence for one in claims] == [1, 2, 3, 4, 5, 6]  # of the order only the first
    for turn in range(4):
        answer_due(back + turn * timedelta(minutes=1), status=200, error="")
    assert statuses_of(arrived) == ["succeeded"]
    assert enable_endpoint(endpoint_id=endpoint.id, actor=actor, now=back)[1] is None


def test_what_arrives_after_it_was_given_up_hides_nothing_of_what_it_has_missed(
    acme, actor: Actor, now: datetime
) -> None:
    endpoint, end = make_endpoint(acme, now=now).endpoint, now + 5 * DAY
    for after in (timedelta(0), 6 * HOUR, 2 * DAY, 4 * DAY):
        fail_until(acme, now + after, now + after)
    for _ in range(2):
        relay(acme, now=end)
    fails, arrives = claim(slots=100, shares={}, rooms={}, default_room=100, now=end)[-2:]
    settle([Attempt(claim=fails, at=end, duration_ms=1, error="timeout")], random=Random(1), now=end)
    assert look(end) == [Step.DISABLE]
    settle([Attempt(claim=arrives, at=end, duration_ms=1, status_code=200)], random=Random(1), now=end)
    assert stored_endpoint(endpoint).failing_since == now
    _enabled, begun = enable_endpoint(endpoint_id=endpoint.id, actor=actor, now=end)
    assert begun is not None
    assert (begun.since, begun.total) == (now, 6)


def test_it_may_come_back_without_a_replay(acme, actor: Actor, now: datetime) -> None:
    endpoint = give_up(acme, now)
    enabled, begun = enable_endpoint(endpoint_id=endpoint.id, replay=False, actor=actor, now=now + 6 * DAY)
    assert (enabled.status, begun) == ("enabled", None)
    assert set(statuses_of(endpoint)) == {"discarded"}
    assert list(watched_endpoints()) == []


def test_a_new_address_begins_anew(acme, actor: Actor, now: datetime) -> None:
    endpoint = make_endpoint(acme, now=now).endpoint
    fail_until(acme, now, now + 6 * HOUR)
    update_endpoint(endpoint_id=endpoint.id, url="https://93.184.215.14/", actor=actor, now=now + 7 * HOUR)
    stored = stored_endpoint(endpoint)
    assert (stored.failing_since, stored.notices, stored.noticed_at) == (None, 0, None)
    assert incidents_of(endpoint) == [("webhook_endpoint.failing", "resolved", "warning", 1)]
