"""Endpoints and the delivery log: what staff see of an endpoint's record, and what they can do about it."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import staff_scope, tenant_scope, write_scope
from apps.outbox.catalogue import event_types
from apps.webhooks.enums import DeliveryStatus, EndpointStatus
from apps.webhooks.models import Delivery, Endpoint
from apps.webhooks.services import update_endpoint
from tests import databases
from tests.backoffice.desk import Trade, make_delivery
from tests.backoffice.staff import enrol, open_session
from tests.backoffice.test_actions import choose, leaves, press, read
from tests.backoffice.test_pages import get
from tests.backoffice.world import World
from tests.factories.tenants import make_tenant
from tests.factories.users import make_user
from tests.factories.webhooks import answer_due, fail_due, make_endpoint, relay

LOG = "/admin/webhooks/delivery/"
ENDPOINTS = "/admin/webhooks/endpoint/"


@pytest.fixture
def trade(world: World) -> Trade:
    return world.acme.trade


def ids_on(client, query: str) -> set[str]:
    page = client.get(f"{LOG}?{query}")
    assert page.status_code == 200
    return {str(row.pk) for row in page.context["cl"].result_list}


@pytest.mark.commits
def test_an_attempt_is_told_with_answer_duration_error_and_response(database):
    """What a sender stores: the log, the delivery's page, the endpoint's and the event's tell it alike."""
    staff = make_user("staff", is_staff=True, is_superuser=True)
    client = open_session(staff, enrol(staff))
    tenant = make_tenant("acme")
    endpoint = make_endpoint(tenant, "http://127.0.0.1:9/hooks", event_types=("order.*",)).endpoint
    databases.log_in("worker", database)
    event_id = relay(tenant)
    fail_due()
    databases.log_in("web", database)
    with tenant_scope(tenant.pk):
        delivery = Delivery.objects.get(event_id=event_id)
    log = get(client, LOG)
    assert '<span class="fo-chip fo-bad">500</span> <small>12 ms</small>' in log
    assert '<span class="fo-excerpt" title="no">no</span>' in log
    page = get(client, f"{LOG}{delivery.pk}/change/")
    assert "http_error" in page
    assert "The receiver answered 500: no" in page
    assert str(delivery.pk) in page
    page = get(client, f"{ENDPOINTS}{endpoint.pk}/change/")
    assert '<span class="fo-chip fo-bad">500</span>' in page
    assert "Deliveries fail" in page
    assert "The last attempt has failed." in page
    assert "Why deliveries fail" in page
    assert "Its server fails: its log says why." in page
    assert "12 ms · 12 ms" in page
    assert "0 %" in get(client, ENDPOINTS)
    assert "127.0.0.1:9/hooks" in get(client, f"/admin/outbox/outboxevent/{event_id}/change/")
    board = get(client, "/admin/")
    assert "1 retried" in board
    assert "0 % of 1 attempts arrived" in board
    for url in (ENDPOINTS, f"{ENDPOINTS}{endpoint.pk}/change/"):
        assert "1 in a row" in get(client, url), url
    databases.log_in("worker", database)
    relay(tenant)
    answer_due(status=200, error="")
    databases.log_in("web", database)
    for url in (ENDPOINTS, f"{ENDPOINTS}{endpoint.pk}/change/"):
        assert "in a row" not in get(client, url), url


def test_a_delivery_is_found_by_what_belongs_to_it(staff_client, world: World, trade: Trade):
    delivery = trade.delivery
    for key in (delivery.pk, delivery.event_id, delivery.entity_id, delivery.endpoint_id):
        assert ids_on(staff_client, f"q={key}") == {str(delivery.pk)}, key
    assert len(ids_on(staff_client, "q=order.outcome")) == 2
    assert ids_on(staff_client, f"tenant={world.globex.tenant.pk}") == {str(world.globex.trade.delivery.pk)}


def test_filters_tell_due_from_waiting(staff_client, trade: Trade):
    now = clock.now()
    left = make_delivery(trade.endpoint, trade.filled, next_attempt_at=now, leased_until=now)
    sent = make_delivery(trade.endpoint, trade.denied, next_attempt_at=now, leased_until=now + timedelta(seconds=30))
    due = make_delivery(trade.endpoint, trade.working, next_attempt_at=now)
    behind = make_delivery(trade.endpoint, trade.working)
    assert ids_on(staff_client, "waiting=due") == {str(due.pk), str(left.pk)}
    assert ids_on(staff_client, "waiting=sent") == {str(sent.pk)}
    assert ids_on(staff_client, "waiting=turn") == {str(behind.pk)}
    assert ids_on(staff_client, "waiting=later") == set()
    assert ids_on(staff_client, "status__exact=pending") == {str(row.pk) for row in (left, sent, due, behind)}
    assert "It waits for its turn" in get(staff_client, f"{LOG}{behind.pk}/change/")


def test_every_event_type_can_be_chosen_whatever_the_newest_are(staff_client, trade: Trade):
    text = get(staff_client, LOG)
    for name in event_types():
        assert f"event_type={name}" in text, name
    assert ids_on(staff_client, "event_type=member.removed") == set()
    assert ids_on(staff_client, f"event_type={trade.delivery.event_type}") >= {str(trade.delivery.pk)}


def test_the_body_is_shown_without_secrets(staff_client, trade: Trade):
    text = get(staff_client, f"{LOG}{trade.delivery.pk}/change/")
    assert '"type": "order.outcome_unknown"' in text
    assert '"secret": "[redacted]"' in text
    assert "It was not accepted, and is not tried any more" in text


def test_a_failed_delivery_is_sent_again_with_a_leaf(staff_client, trade: Trade):
    assert press(staff_client, "webhooks.delivery", trade.delivery, "retry") == ["1 delivery is sent again."]
    after = read(Delivery, trade.delivery)
    assert (after.status, after.attempt_count) == (DeliveryStatus.PENDING, 0)
    assert after.next_attempt_at is not None
    (leaf,) = leaves(trade.desk.tenant, "webhook_delivery.retried")
    assert (leaf.target_id, leaf.changes) == (str(trade.delivery.pk), {"status": ["failed", "pending"]})
    assert leaf.actor["kind"] == "staff"


def test_many_are_sent_again_each_by_its_tenant(staff_client, world: World, trade: Trade):
    both = [trade.delivery, world.globex.trade.delivery]
    press(staff_client, "webhooks.endpoint", world.globex.trade.endpoint, "disable", confirmed="1", reason="noise")
    said = choose(staff_client, "webhooks.delivery", both, "retry")
    assert said == ["1 delivery is sent again.", "The endpoint is disabled"]
    assert read(Delivery, world.globex.trade.delivery).status == DeliveryStatus.FAILED


def test_an_endpoint_is_tested(staff_client, trade: Trade):
    assert press(staff_client, "webhooks.endpoint", trade.endpoint, "test") == ["1 test event is on its way."]
    with tenant_scope(trade.desk.tenant.pk):
        assert Delivery.objects.filter(event_type="webhook.test", status="pending").count() == 1
    assert len(leaves(trade.desk.tenant, "webhook_endpoint.tested")) == 1


def test_disabling_asks_first_discards_and_is_undone(staff_client, trade: Trade):
    waiting = make_delivery(trade.endpoint, trade.working, next_attempt_at=clock.now())
    question = staff_client.post(f"{ENDPOINTS}{trade.endpoint.pk}/do/disable/").content.decode()
    assert "what waits for it is discarded" in question
    assert read(Endpoint, trade.endpoint).status == EndpointStatus.ENABLED
    unreasoned = staff_client.post(f"{ENDPOINTS}{trade.endpoint.pk}/do/disable/", {"confirmed": "1", "reason": " "})
    assert unreasoned.status_code == 200
    assert read(Endpoint, trade.endpoint).status == EndpointStatus.ENABLED
    assert leaves(trade.desk.tenant, "webhook_endpoint.updated") == []
    press(staff_client, "webhooks.endpoint", trade.endpoint, "disable", confirmed="1", reason="asked by the client")
    assert read(Endpoint, trade.endpoint).status == EndpointStatus.DISABLED
    (leaf,) = leaves(trade.desk.tenant, "webhook_endpoint.updated")
    assert leaf.changes == {"status": ["enabled", "disabled"], "reason": [None, "asked by the client"]}
    assert read(Delivery, waiting).status == DeliveryStatus.DISCARDED
    page = get(staff_client, f"{ENDPOINTS}{trade.endpoint.pk}/change/")
    assert "do/enable/" in page
    assert "do/test/" not in page
    assert staff_client.post(f"{ENDPOINTS}{trade.endpoint.pk}/do/enable/").status_code == 200
    assert read(Endpoint, trade.endpoint).status == EndpointStatus.DISABLED
    press(staff_client, "webhooks.endpoint", trade.endpoint, "enable", confirmed="1", reason="mended")
    assert read(Endpoint, trade.endpoint).status == EndpointStatus.ENABLED


def test_recovering_takes_a_time_from_the_list(staff_client, trade: Trade):
    question = staff_client.post(f"{ENDPOINTS}{trade.endpoint.pk}/do/recover/").content.decode()
    assert '<option value="24">the last day</option>' in question
    for answer in ("", "2", "-1", "all"):
        answered = staff_client.post(
            f"{ENDPOINTS}{trade.endpoint.pk}/do/recover/", {"confirmed": "1", "reason": answer}
        )
        assert answered.status_code == 200, answer
    assert read(Delivery, trade.delivery).status == DeliveryStatus.FAILED
    said = press(staff_client, "webhooks.endpoint", trade.endpoint, "recover", confirmed="1", reason="24")
    assert said == ["What 1 endpoint missed is sent again."]
    assert read(Delivery, trade.delivery).status == DeliveryStatus.PENDING
    said = press(staff_client, "webhooks.endpoint", trade.endpoint, "recover", confirmed="1", reason="1")
    assert said == ["1 endpoint has missed nothing since then."]


def test_an_endpoint_shows_what_was_given_up_today(staff_client, trade: Trade):
    row = next(row for row in staff_client.get(ENDPOINTS).context["cl"].result_list if row.pk == trade.endpoint.pk)
    assert (row.record.given_up, row.record.pending, row.record.attempts.share) == (1, 0, None)
    text = get(staff_client, f"{ENDPOINTS}{trade.endpoint.pk}/change/")
    assert "Deliveries have failed" in text
    assert "1 of the deliveries of the last day were given up." in text


def test_what_is_due_has_no_time_but_now(staff_client, trade: Trade):
    now = clock.now()
    due = make_delivery(trade.endpoint, trade.working, next_attempt_at=now - timedelta(seconds=5))
    assert "due now" in get(staff_client, f"{LOG}{due.pk}/change/")
    later = make_delivery(trade.endpoint, trade.working, next_attempt_at=now + timedelta(minutes=5))
    page = get(staff_client, f"{LOG}{later.pk}/change/")
    assert ("due now" in page, "in 4 min" in page) == (False, True)
    sent = make_delivery(
        trade.endpoint, trade.working, next_attempt_at=now, leased_until=now + timedelta(seconds=30), fence=1
    )
    assert "being sent" in get(staff_client, f"{LOG}{sent.pk}/change/")


@pytest.mark.parametrize(
    ("label", "name", "action"),
    [
        ("webhooks.delivery", "delivery", "retry"),
        ("webhooks.endpoint", "endpoint", "test"),
        ("webhooks.endpoint", "endpoint", "disable"),
        ("webhooks.endpoint", "endpoint", "recover"),
    ],
)
def test_who_may_only_view_sends_nothing(viewing_client, trade: Trade, label, name, action):
    obj = getattr(trade, name)
    url = f"/admin/{label.replace('.', '/')}/{obj.pk}/"
    with staff_scope():
        before = AuditEntry.objects.count()
    assert f"do/{action}/" not in get(viewing_client, f"{url}change/")
    assert viewing_client.post(f"{url}do/{action}/", {"confirmed": "1", "reason": "24"}).status_code == 403
    with staff_scope():
        assert AuditEntry.objects.count() == before
        assert Delivery.objects.filter(status="pending").count() == 0
        assert Endpoint.objects.filter(status="enabled").count() == 2


def set_columns(endpoint: Endpoint, **values) -> None:
    with write_scope(system_actor("tests", tenant_id=endpoint.tenant_id)):
        Endpoint.objects.filter(pk=endpoint.pk).update(**values)


def test_an_endpoint_that_fails_says_since_when_and_when_it_ends(staff_client, trade: Trade):
    since = datetime(2026, 3, 2, 12, tzinfo=UTC)
    set_columns(trade.endpoint, failing_since=since, notices=1, noticed_at=since + timedelta(hours=6))
    page = get(staff_client, f"{ENDPOINTS}{trade.endpoint.pk}/change/")
    assert "Nothing has arrived since 2026-03-02 12:00 UTC" in page
    assert "Its owners were told 1 of 3 times, last on 2026-03-02 18:00 UTC." in page
    assert "it is disabled, not before 2026-03-07 12:00 UTC." in page


def test_one_that_was_given_up_comes_back_with_a_replay(staff_client, trade: Trade):
    since = trade.delivery.created_at
    values = {"status": "disabled", "disabled_reason": "failing", "failing_since": since, "held_until": since}
    set_columns(trade.endpoint, **values)
    page = get(staff_client, f"{ENDPOINTS}{trade.endpoint.pk}/change/")
    assert "Disabled after days of failure" in page
    assert ("What happened was kept for it until" in page, "Nothing is lost." in page) == (True, False)
    assert "do/replay/" in page
    question = staff_client.post(f"{ENDPOINTS}{trade.endpoint.pk}/do/replay/").content.decode()
    assert f": 1 delivery that was lost since {since:%Y-%m-%d %H:%M} UTC is sent again." in question
    assert read(Endpoint, trade.endpoint).status == EndpointStatus.DISABLED
    said = press(staff_client, "webhooks.endpoint", trade.endpoint, "replay", confirmed="1", reason="mended")
    assert said == ["1 endpoint enabled; what it has missed since its first failure is on its way."]
    assert read(Delivery, trade.delivery).status == DeliveryStatus.PENDING
    page = get(staff_client, f"{ENDPOINTS}{trade.endpoint.pk}/change/")
    assert ("Recoveries" in page, "do/replay/" in page) == (True, False)


def test_headers_are_told_by_name_alone(staff_client, trade: Trade):
    value = "a-value-that-nobody-reads-again"
    actor = system_actor("tests", tenant_id=trade.endpoint.tenant_id)
    update_endpoint(endpoint_id=trade.endpoint.pk, headers={"X-Api-Key": value}, actor=actor, now=clock.now())
    page = get(staff_client, f"{ENDPOINTS}{trade.endpoint.pk}/change/")
    assert ("X-Api-Key: ••••" in page, value in page) == (True, False)
