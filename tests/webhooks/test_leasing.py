"""Claiming and settling: who holds what, for how long, and what a lost lease is worth."""

from collections import Counter
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

import pytest

from apps.core.actor import system_actor
from apps.core.ids import new_id
from apps.core.scope import write_scope
from apps.outbox.services import relay_events
from apps.webhooks.models import Delivery, Endpoint
from apps.webhooks.sending.shares import Shares
from apps.webhooks.services import claim, leasing, recover, retry_delivery, settle, update_endpoint
from apps.webhooks.services.leasing import LEASE_SECONDS
from apps.webhooks.types import Attempt, Claim, Share
from tests.factories.outbox import make_event
from tests.factories.webhooks import attempts_of, deliveries_of, make_endpoint, relay, statuses_of
from tests.threads import held

pytestmark = pytest.mark.worker_login


@pytest.fixture(autouse=True, params=["little is due", "much is due"])
def _backlog(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has something due is found in two ways."""
    if request.param == "much is due":
        monkeypatch.setattr(leasing, "FEW", 0)


def claimed(
    now: datetime,
    *,
    slots: int = 100,
    room: int = 100,
    rooms: dict[UUID, int] | None = None,
    shares: dict[UUID, Share] | None = None,
) -> list[Claim]:
    return claim(slots=slots, shares=shares or {}, rooms=rooms or {}, default_room=room, now=now)


def settle_all(claims: list[Claim], now: datetime, *, status: int = 200, retry_after: float | None = None) -> None:
    error = "" if status == 200 else "http_error"
    attempts = [
        Attempt(claim=one, at=now, duration_ms=0, status_code=status, error=error, retry_after=retry_after)
        for one in claims
    ]
    settle(attempts, random=Random(1), now=now)


def sequences(claims: list[Claim]) -> list[int]:
    return [one.sequence for one in claims]


def make_queue(tenant, count: int, now: datetime, *, entities: list[UUID] | None = None) -> Endpoint:
    """Queue events of as many orders, or of the given ones in turn, for a new endpoint."""
    endpoint = make_endpoint(tenant, now=now).endpoint
    for number in range(count):
        make_event(tenant.id, entity_id=entities[number % len(entities)] if entities else None, now=now)
    relay_events(now=now)
    return endpoint


def test_a_claim_holds_until_its_lease_ends(acme, now: datetime) -> None:
    make_queue(acme, 1, now)
    (first,) = claimed(now)
    assert claimed(now + timedelta(seconds=LEASE_SECONDS - 1)) == []
    (second,) = claimed(now + timedelta(seconds=LEASE_SECONDS))
    assert (second.id, second.body, second.attempt_count) == (first.id, first.body, 0)
    assert second.fence == first.fence + 1


def test_a_delivery_that_another_transaction_holds_is_passed_over(acme, now: datetime) -> None:
    endpoint = make_queue(acme, 3, now)
    first = deliveries_of(endpoint)[0]
    actor = system_actor("tests", tenant_id=acme.id)
    with held(lambda: write_scope(actor), lambda: Delivery.objects.select_for_update().get(id=first.id)):
        assert sequences(claimed(now)) == [2, 3]
    assert sequences(claimed(now)) == [1]


def test_who_lost_the_lease_settles_nothing_but_its_attempt_is_logged(acme, now: datetime) -> None:
    endpoint = make_queue(acme, 1, now)
    (first,) = claimed(now)
    later = now + timedelta(seconds=LEASE_SECONDS)
    (second,) = claimed(later)
    settle_all([first], later, status=500)
    (delivery,) = deliveries_of(endpoint)
    assert (delivery.status, delivery.attempt_count, delivery.leased_until) == (
        "pending",
        0,
        later + timedelta(seconds=LEASE_SECONDS),
    )
    settle_all([second], later)
    (delivery,) = deliveries_of(endpoint)
    assert (delivery.status, delivery.attempt_count, delivery.finished_at) == ("succeeded", 1, later)
    assert [attempt.status_code for attempt in attempts_of(delivery)] == [500, 200]


def test_settling_twice_is_once(acme, now: datetime) -> None:
    endpoint = make_queue(acme, 1, now)
    (one,) = claimed(now)
    attempt = Attempt(claim=one, at=now, duration_ms=5, status_code=500, error="http_error")
    for _ in range(2):
        settle([attempt], random=Random(1), now=now)
    (delivery,) = deliveries_of(endpoint)
    assert (delivery.attempt_count, len(attempts_of(delivery))) == (1, 1)


def test_the_whole_schedule_and_then_failed(acme, now: datetime) -> None:
    endpoint = make_queue(acme, 1, now)
    at, pauses = now, []
    for attempt in range(8):
        claims = claimed(at)
        assert [one.attempt_count for one in claims] == [attempt]
        settle_all(claims, at, status=503)
        (delivery,) = deliveries_of(endpoint)
        if delivery.next_attempt_at is None:
            break
        assert claimed(delivery.next_attempt_at - timedelta(microseconds=1)) == []
        pauses.append((delivery.next_attempt_at - at).total_seconds())
        at = delivery.next_attempt_at
    planned = [5, 300, 1800, 7200, 18000, 36000, 36000]
    assert len(pauses) == 7
    assert all(0.8 * plan <= pause <= 1.2 * plan for pause, plan in zip(pauses, planned, strict=True))
    assert (delivery.status, delivery.attempt_count, delivery.finished_at) == ("failed", 8, at)
    assert len(attempts_of(delivery)) == 8
    assert claimed(at + timedelta(days=30)) == []


def test_a_pause_begins_when_the_attempt_has_ended(acme, now: datetime) -> None:
    endpoint = make_queue(acme, 1, now)
    (one,) = claimed(now)
    settle([Attempt(claim=one, at=now, duration_ms=15_000, error="timeout")], random=Random(1), now=now)
    (delivery,) = deliveries_of(endpoint)
    assert delivery.next_attempt_at is not None
    assert 19 <= (delivery.next_attempt_at - now).total_seconds() <= 21


def test_a_receivers_retry_after_makes_the_pause_longer(acme, now: datetime) -> None:
    endpoint = make_queue(acme, 1, now)
    settle_all(claimed(now), now, status=429, retry_after=90.0)
    (delivery,) = deliveries_of(endpoint)
    assert delivery.next_attempt_at == now + timedelta(seconds=90)


def test_a_receiver_that_is_gone_is_not_asked_again(acme, now: datetime) -> None:
    endpoint = make_queue(acme, 1, now)
    settle_all(claimed(now), now, status=410)
    assert statuses_of(endpoint) == ["failed"]


def test_of_an_entity_only_the_first_is_claimed(acme, now: datetime) -> None:
    one, other = new_id(), new_id()
    endpoint = make_queue(acme, 5, now, entities=[one, other])
    first = claimed(now)
    assert sequences(first) == [1, 2]
    assert claimed(now) == []
    settle_all(first[:1], now)
    second = claimed(now)
    assert sequences(second) == [3]
    settle_all([*first[1:], *second], now)
    assert sequences(claimed(now)) == [4, 5]
    assert statuses_of(endpoint) == ["succeeded", "succeeded", "succeeded", "pending", "pending"]


def test_a_delivery_that_waits_for_hours_is_not_overtaken(acme, now: datetime) -> None:
    """The rule: an entity's later events wait behind its earlier one, and other entities do not."""
    one = new_id()
    endpoint = make_queue(acme, 2, now, entities=[one])
    at = now
    for _ in range(4):
        settle_all(claimed(at), at, status=500)
        at = deliveries_of(endpoint)[0].next_attempt_at or at
    assert at - now > timedelta(hours=2)
    relay(acme, entity_id=one, now=now)
    relay(acme, now=now)
    assert sequences(claimed(at - timedelta(seconds=1))) == [4]
    first = claimed(at)
    assert sequences(first) == [1]
    settle_all(first, at)
    assert sequences(claimed(at)) == [2]


def test_behind_one_that_has_failed_for_good_the_next_has_its_turn(acme, now: datetime) -> None:
    endpoint = make_queue(acme, 2, now, entities=[new_id()])
    settle_all(claimed(now), now, status=410)
    assert statuses_of(endpoint) == ["failed", "pending"]
    assert sequences(claimed(now)) == [2]


def test_an_endpoint_gets_no_more_than_its_room(acme, globex, now: datetime) -> None:
    busy, other = make_queue(acme, 6, now), make_queue(globex, 6, now)
    claims = claimed(now, room=2, rooms={busy.id: 3})
    assert [one.endpoint_id for one in claims].count(busy.id) == 3
    assert [one.endpoint_id for one in claims].count(other.id) == 2
    assert claimed(now, room=0, rooms={busy.id: 0}) == []


def test_when_slots_are_few_the_endpoints_take_turns(acme, now: datetime) -> None:
    endpoints = sorted(make_endpoint(acme, now=now).endpoint.id for _ in range(3))
    for _ in range(4):
        relay(acme, now=now)
    shares, order = Shares(1), []
    for _ in range(6):
        given = shares.now()
        claims = claimed(now, slots=1, room=1, shares=given)
        order += [one.endpoint_id for one in claims]
        shares.move_on(claims, slots=1, shares=given)
        settle_all(claims, now)
    # Behind the last endpoint the look finds nothing, and the next one begins with the first.
    assert order == [*endpoints, *endpoints[:2]]


def tenants_of(claims: list[Claim]) -> Counter[UUID]:
    return Counter(one.tenant_id for one in claims)


def test_a_tenant_alone_gets_half_of_the_slots_and_what_it_does_not_get_is_not_touched(acme, now: datetime) -> None:
    endpoint = make_queue(acme, 30, now)
    claims = claimed(now, slots=20)
    assert sequences(claims) == list(range(1, 11))
    assert claimed(now, slots=10, shares={acme.id: Share(10)}) == []
    waiting = deliveries_of(endpoint)[10:]
    assert {(one.leased_until, one.fence, one.attempt_count) for one in waiting} == {(None, 0, 0)}


def test_who_comes_later_finds_slots_and_nobody_holds_more_than_were_free(acme, globex, now: datetime) -> None:
    make_queue(acme, 30, now)
    claimed(now, slots=20)
    make_queue(globex, 30, now)
    shares = {acme.id: Share(10)}
    assert tenants_of(claimed(now, slots=10, shares=shares)) == {globex.id: 5}
    shares = {acme.id: Share(10), globex.id: Share(5)}
    assert tenants_of(claimed(now, slots=5, shares=shares)) == {}
    # When some of the first come back, those who hold fewer go first.
    shares = {acme.id: Share(4), globex.id: Share(5)}
    assert tenants_of(claimed(now, slots=11, shares=shares)) == {acme.id: 3, globex.id: 2}


def test_tenants_that_come_together_share_alike(acme, globex, now: datetime) -> None:
    make_queue(acme, 30, now)
    make_queue(globex, 3, now)
    assert tenants_of(claimed(now, slots=20)) == {acme.id: 9, globex.id: 3}


def test_a_claim_knows_its_target_and_its_keys(acme, now: datetime) -> None:
    made = make_endpoint(acme, "https://93.184.215.14/hook", now=now)
    relay(acme, now=now)
    (one,) = claimed(now)
    assert (one.url, one.tenant_id, one.endpoint_id) == (made.endpoint.url, acme.id, made.endpoint.id)
    assert [(kind, len(key)) for kind, key in one.keys] == [("symmetric", 32)]
    assert one.headers == {}


def test_a_new_url_holds_for_what_waits(acme, now: datetime) -> None:
    endpoint = make_queue(acme, 1, now)
    actor = system_actor("tests", tenant_id=acme.id)
    update_endpoint(endpoint_id=endpoint.id, url="https://93.184.215.14/new", actor=actor, now=now)
    assert [one.url for one in claimed(now)] == ["https://93.184.215.14/new"]


def test_what_is_discarded_on_the_wire_stays_discarded(acme, now: datetime) -> None:
    endpoint = make_queue(acme, 1, now)
    claims = claimed(now)
    actor = system_actor("tests", tenant_id=acme.id)
    update_endpoint(endpoint_id=endpoint.id, status="disabled", actor=actor, now=now)
    settle_all(claims, now)
    (delivery,) = deliveries_of(endpoint)
    assert (delivery.status, len(attempts_of(delivery))) == ("discarded", 1)


def test_a_retry_is_due_at_once_and_starts_afresh(acme, now: datetime) -> None:
    actor = system_actor("tests", tenant_id=acme.id)
    endpoint = make_queue(acme, 1, now)
    settle_all(claimed(now), now, status=410)
    (failed,) = deliveries_of(endpoint)
    later = now + timedelta(hours=1)
    delivery = retry_delivery(delivery_id=failed.id, actor=actor, now=later)
    assert (delivery.status, delivery.next_attempt_at, delivery.finished_at) == ("pending", later, None)
    assert (delivery.attempt_count, delivery.id, delivery.sequence) == (0, failed.id, 1)
    (again,) = claimed(later)
    assert again.body == failed.body.encode()


def test_a_retry_of_what_waits_brings_it_forward(acme, now: datetime) -> None:
    actor = system_actor("tests", tenant_id=acme.id)
    endpoint = make_queue(acme, 2, now, entities=[new_id()])
    settle_all(claimed(now), now, status=500)
    first, second = deliveries_of(endpoint)
    assert retry_delivery(delivery_id=second.id, actor=actor, now=now).next_attempt_at is None
    assert claimed(now) == []
    assert retry_delivery(delivery_id=first.id, actor=actor, now=now).next_attempt_at == now
    assert sequences(claimed(now)) == [1]


def test_a_retry_of_an_earlier_one_goes_before_what_waits(acme, now: datetime) -> None:
    actor = system_actor("tests", tenant_id=acme.id)
    endpoint = make_queue(acme, 3, now, entities=[new_id()])
    settle_all(claimed(now), now, status=410)
    assert statuses_of(endpoint) == ["failed", "pending", "pending"]
    retry_delivery(delivery_id=deliveries_of(endpoint)[0].id, actor=actor, now=now)
    for expected in (1, 2, 3):
        claims = claimed(now)
        assert sequences(claims) == [expected]
        settle_all(claims, now)
    assert statuses_of(endpoint) == ["succeeded"] * 3


def test_recovery_queues_again_what_did_not_arrive_since_a_time(acme, now: datetime) -> None:
    actor = system_actor("tests", tenant_id=acme.id)
    endpoint = make_queue(acme, 1, now)
    entity = new_id()
    hour = timedelta(hours=1)
    for number in range(4):
        relay(acme, entity_id=entity, now=now + number * hour)
    for status in (200, 410, 410, 200, 410):
        settle_all(claimed(now + 10 * hour, slots=1), now + 10 * hour, status=status)
    assert sorted(statuses_of(endpoint)) == ["failed"] * 3 + ["succeeded"] * 2
    lost = [d for d in deliveries_of(endpoint) if d.status == "failed" and d.created_at >= now + hour]
    later = now + 11 * hour
    assert recover(endpoint_id=endpoint.id, since=now + hour, actor=actor, now=later).queued_again == len(lost)
    _require_queued(lost, endpoint)
    assert sequences(claimed(later)) == [lost[0].sequence]


def _require_queued(lost: list[Delivery], endpoint: Endpoint) -> None:
    now_pending = [delivery for delivery in deliveries_of(endpoint) if delivery.status == "pending"]
    assert [delivery.id for delivery in now_pending] == [delivery.id for delivery in lost]
    assert {delivery.attempt_count for delivery in now_pending} == {0}


def test_recovery_brings_back_what_disabling_threw_out(acme, now: datetime) -> None:
    actor = system_actor("tests", tenant_id=acme.id)
    endpoint = make_queue(acme, 3, now)
    for status in ("disabled", "enabled"):
        update_endpoint(endpoint_id=endpoint.id, status=status, actor=actor, now=now)
    assert statuses_of(endpoint) == ["discarded"] * 3
    assert recover(endpoint_id=endpoint.id, since=now, actor=actor, now=now).queued_again == 3
    assert sequences(claimed(now)) == [1, 2, 3]
