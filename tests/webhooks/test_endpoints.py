"""The life of an endpoint: who made it, what it was, what was thrown out, in one transaction each."""

import base64
from datetime import datetime, timedelta
from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.core.actor import Actor, system_actor
from apps.core.errors import NotFound, ReadOnly, ValidationFailed, VersionConflict
from apps.core.ids import new_id
from apps.core.models import ReadOnlySwitch
from apps.core.scope import staff_scope, tenant_scope
from apps.incidents.models import Incident
from apps.outbox.models import OutboxEvent
from apps.tenants.models import Tenant
from apps.webhooks.errors import EndpointDisabled, UnknownEventType, UrlRefused
from apps.webhooks.models import Delivery, Endpoint, EndpointSecret
from apps.webhooks.services import (
    create_endpoint,
    delete_endpoint,
    disable_gone_endpoint,
    rotate_secret,
    send_test_event,
    update_endpoint,
)
from apps.webhooks.signing import open_sealed, shown
from apps.webhooks.types import SigningKey
from tests.factories.webhooks import deliveries_of, make_endpoint, statuses_of, stored_endpoint


@pytest.fixture
def actor(acme: Tenant) -> Actor:
    return system_actor("tests", tenant_id=acme.id)


def leaves_of(endpoint: Endpoint) -> list[tuple[str, dict[str, Any]]]:
    with tenant_scope(endpoint.tenant_id):
        rows = AuditEntry.objects.filter(target_type="webhook_endpoint", target_id=str(endpoint.id))
        return list(rows.order_by("position").values_list("action", "changes"))


def events_of(endpoint: Endpoint) -> list[str]:
    with tenant_scope(endpoint.tenant_id):
        rows = OutboxEvent.objects.filter(entity_id=endpoint.id)
        return list(rows.order_by("position").values_list("type", flat=True))


def secrets_of(endpoint: Endpoint) -> list[tuple[str, datetime | None]]:
    """Return an endpoint's secrets as its client knows them, and when they expire, the current one first."""
    with tenant_scope(endpoint.tenant_id):
        rows = list(EndpointSecret.objects.filter(endpoint_id=endpoint.id).order_by("-created_at", "-id"))
    owner: dict[str, Any] = {"tenant_id": endpoint.tenant_id, "endpoint_id": endpoint.id}
    return [
        (shown(SigningKey(row.kind, open_sealed(row.ciphertext, **owner, kind=row.kind))), row.expires_at)
        for row in rows
    ]


def make_pending(endpoint: Endpoint, actor: Actor, now: datetime, count: int = 2) -> list[Delivery]:
    return [send_test_event(endpoint_id=endpoint.id, actor=actor, now=now) for _ in range(count)]


def test_a_new_endpoint_shows_its_secret_once_and_keeps_it_sealed(acme, actor: Actor, now: datetime) -> None:
    made = create_endpoint(
        url="https://93.184.215.14/hook",
        event_types=["order.*", "transaction.created", "order.*"],
        description="the shop",
        actor=actor,
        now=now,
    )
    endpoint = stored_endpoint(made.endpoint)
    assert (endpoint.url, endpoint.description) == ("https://93.184.215.14/hook", "the shop")
    assert endpoint.event_types == ["order.*", "transaction.created"]
    assert (endpoint.status, endpoint.version, endpoint.last_sequence) == ("enabled", 1, 0)
    assert len(base64.b64decode(made.secret.removeprefix("whsec_"), validate=True)) == 32
    assert secrets_of(endpoint) == [(made.secret, None)]
    assert events_of(endpoint) == ["webhook_endpoint.created"]
    ((action, changes),) = leaves_of(endpoint)
    assert (action, changes["url"]) == ("webhook_endpoint.created", [None, "https://93.184.215.14/hook"])
    assert made.secret not in str(changes)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"url": "http://hooks.example.com/"}, UrlRefused),
        ({"url": "https://10.0.0.1/"}, UrlRefused),
        ({"url": "hooks.example.com"}, UrlRefused),
        ({"event_types": ["order.filled", "order.exploded", "orders.*"]}, UnknownEventType),
        ({"description": "x" * 501}, ValidationFailed),
    ],
)
def test_what_is_refused_leaves_nothing(
    acme, actor: Actor, now: datetime, values: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        create_endpoint(**{"url": "https://93.184.215.14/", "actor": actor, "now": now, **values})
    with tenant_scope(acme.id):
        assert not Endpoint.objects.exists()
        assert not EndpointSecret.objects.exists()
        assert not AuditEntry.objects.filter(target_type="webhook_endpoint").exists()


def test_unknown_event_types_are_named(acme, actor: Actor, now: datetime) -> None:
    with pytest.raises(UnknownEventType) as refusal:
        create_endpoint(
            url="https://93.184.215.14/", event_types=["order.filled", "order.exploded", "x"], actor=actor, now=now
        )
    assert refusal.value.extra["errors"] == [
        {"field": "event_types", "code": "unknown_event_type", "message": "order.exploded"},
        {"field": "event_types", "code": "unknown_event_type", "message": "x"},
    ]


def test_an_update_changes_what_is_given(acme, actor: Actor, now: datetime) -> None:
    endpoint = make_endpoint(acme, now=now).endpoint
    later = now + timedelta(hours=1)
    update_endpoint(endpoint_id=endpoint.id, event_types=[], description="all", actor=actor, now=later)
    stored = stored_endpoint(endpoint)
    assert (stored.event_types, stored.description, stored.url) == ([], "all", endpoint.url)
    assert (stored.version, stored.updated_at, stored.created_at) == (2, later, now)
    assert leaves_of(endpoint)[-1] == (
        "webhook_endpoint.updated",
        {"event_types": [["order.*"], []], "description": ["", "all"]},
    )
    assert events_of(endpoint) == ["webhook_endpoint.created", "webhook_endpoint.updated"]


def test_saying_what_is_so_leaves_no_record(acme, actor: Actor, now: datetime) -> None:
    endpoint = make_endpoint(acme, now=now).endpoint
    update_endpoint(
        endpoint_id=endpoint.id, url=endpoint.url, event_types=["order.*"], status="enabled", actor=actor, now=now
    )
    assert stored_endpoint(endpoint).version == 1
    assert len(leaves_of(endpoint)) == len(events_of(endpoint)) == 1


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"expected_version": 7}, VersionConflict),
        ({"url": "https://[::1]:443/", "endpoint_id": new_id()}, NotFound),
        ({"url": "https://169.254.169.254/"}, UrlRefused),
        ({"event_types": ["order"]}, UnknownEventType),
        ({"status": "paused"}, ValidationFailed),
        ({"endpoint_id": new_id()}, NotFound),
    ],
)
def test_a_refused_update_changes_nothing(
    acme, actor: Actor, now: datetime, values: dict[str, Any], error: type[Exception]
) -> None:
    endpoint = make_endpoint(acme, now=now).endpoint
    given = {"endpoint_id": endpoint.id, "description": "new", "actor": actor, "now": now, **values}
    with pytest.raises(error):
        update_endpoint(**given)
    stored = stored_endpoint(endpoint)
    assert (stored.url, stored.description, stored.status, stored.version) == (endpoint.url, "", "enabled", 1)
    assert len(leaves_of(endpoint)) == len(events_of(endpoint)) == 1


def test_disabling_discards_what_waits_and_enabling_begins_afresh(acme, actor: Actor, now: datetime) -> None:
    endpoint = make_endpoint(acme, now=now).endpoint
    make_pending(endpoint, actor, now)
    update_endpoint(endpoint_id=endpoint.id, status="disabled", actor=actor, now=now)
    assert statuses_of(endpoint) == ["discarded", "discarded"]
    assert [delivery.finished_at for delivery in deliveries_of(endpoint)] == [now, now]
    with pytest.raises(EndpointDisabled):
        send_test_event(endpoint_id=endpoint.id, actor=actor, now=now)
    update_endpoint(endpoint_id=endpoint.id, status="enabled", actor=actor, now=now)
    make_pending(endpoint, actor, now, count=1)
    assert statuses_of(endpoint) == ["discarded", "discarded", "pending"]
    assert [delivery.sequence for delivery in deliveries_of(endpoint)] == [1, 2, 3]


def test_a_deleted_endpoint_is_gone_but_its_deliveries_stay(acme, actor: Actor, now: datetime) -> None:
    endpoint = make_endpoint(acme, now=now).endpoint
    make_pending(endpoint, actor, now)
    delete_endpoint(endpoint_id=endpoint.id, expected_version=1, actor=actor, now=now)
    stored = stored_endpoint(endpoint)
    assert (stored.status, stored.deleted_at, secrets_of(endpoint)) == ("disabled", now, [])
    assert statuses_of(endpoint) == ["discarded", "discarded"]
    assert events_of(endpoint)[-1] == "webhook_endpoint.deleted"
    assert leaves_of(endpoint)[-1][1]["discarded"] == [None, 2]
    for again in (delete_endpoint, rotate_secret, send_test_event, update_endpoint):
        with pytest.raises(NotFound):
            again(endpoint_id=endpoint.id, actor=actor, now=now)


def test_a_rotation_keeps_the_old_secret_for_its_grace(acme, actor: Actor, now: datetime) -> None:
    made = make_endpoint(acme, now=now)
    later = now + timedelta(hours=1)
    endpoint, second = rotate_secret(endpoint_id=made.endpoint.id, grace_seconds=600, actor=actor, now=later)
    assert second != made.secret
    assert endpoint.version == 2
    assert secrets_of(endpoint) == [(second, None), (made.secret, later + timedelta(seconds=600))]
    assert leaves_of(endpoint)[-1][0] == events_of(endpoint)[-1] == "webhook_endpoint.secret_rotated"
    assert second not in str(leaves_of(endpoint))


def test_a_rotation_may_change_the_way_of_signing(acme, actor: Actor, now: datetime) -> None:
    made = make_endpoint(acme, now=now)
    assert (made.endpoint.signing, made.endpoint.public_key) == ("symmetric", "")
    endpoint, secret = rotate_secret(
        endpoint_id=made.endpoint.id, grace_seconds=600, signing="asymmetric", actor=actor, now=now
    )
    assert (secret, endpoint.signing, endpoint.public_key[:5]) == ("", "asymmetric", "whpk_")
    assert leaves_of(endpoint)[-1][1] == {
        "old_one_valid_until": [None, "2026-03-02T12:10:00Z"],
        "signing": ["symmetric", "asymmetric"],
        "public_key": ["", endpoint.public_key],
    }
    again, secret = rotate_secret(endpoint_id=endpoint.id, actor=actor, now=now)
    assert (secret, again.public_key != endpoint.public_key) == ("", True)
    back, secret = rotate_secret(endpoint_id=endpoint.id, signing="symmetric", actor=actor, now=now)
    assert (secret[:6], back.signing, back.public_key) == ("whsec_", "symmetric", "")
    with pytest.raises(ValidationFailed):
        rotate_secret(endpoint_id=endpoint.id, signing="none", actor=actor, now=now)
    assert stored_endpoint(endpoint).version == 4


def test_a_rotation_ends_the_grace_before(acme, actor: Actor, now: datetime) -> None:
    made = make_endpoint(acme, now=now)
    _endpoint, second = rotate_secret(endpoint_id=made.endpoint.id, grace_seconds=600, actor=actor, now=now)
    at = now + timedelta(seconds=60)
    endpoint, third = rotate_secret(endpoint_id=made.endpoint.id, grace_seconds=0, actor=actor, now=at)
    assert secrets_of(endpoint) == [(third, None), (second, at)]


def test_an_endpoint_that_is_gone_is_disabled_once_with_an_incident(acme, actor: Actor, now: datetime) -> None:
    endpoint = make_endpoint(acme, now=now).endpoint
    make_pending(endpoint, actor, now)
    # A late answer from where it was before says nothing of where it is now.
    disable_gone_endpoint(endpoint_id=endpoint.id, url="https://93.184.215.14/", actor=actor, now=now)
    assert stored_endpoint(endpoint).status == "enabled"
    for _ in range(2):
        disable_gone_endpoint(endpoint_id=endpoint.id, url=endpoint.url, actor=actor, now=now)
    stored = stored_endpoint(endpoint)
    assert (stored.status, stored.disabled_reason, stored.version) == ("disabled", "gone", 2)
    assert statuses_of(endpoint) == ["discarded", "discarded"]
    assert events_of(endpoint) == ["webhook_endpoint.created", "webhook_endpoint.disabled"]
    with tenant_scope(acme.id):
        incident = Incident.objects.get(kind="webhook_endpoint.disabled")
        assert (incident.key, incident.count, incident.state) == (str(endpoint.id), 1, "open")
        assert (incident.target_type, incident.target_id) == ("webhook_endpoint", endpoint.id)
    update_endpoint(endpoint_id=endpoint.id, status="enabled", actor=actor, now=now)
    assert stored_endpoint(endpoint).disabled_reason == ""
    with tenant_scope(acme.id):
        assert Incident.objects.get(kind="webhook_endpoint.disabled").state == "resolved"


def test_another_tenants_endpoint_is_not_there(acme, globex, actor: Actor, now: datetime) -> None:
    theirs = make_endpoint(globex, now=now).endpoint
    for service in (delete_endpoint, rotate_secret, send_test_event, update_endpoint):
        with pytest.raises(NotFound):
            service(endpoint_id=theirs.id, actor=actor, now=now)
    stored = stored_endpoint(theirs)
    assert (stored.version, stored.status, stored.last_sequence) == (1, "enabled", 0)
    assert len(secrets_of(theirs)) == len(events_of(theirs)) == 1


def test_nothing_is_changed_while_writing_is_switched_off(acme, actor: Actor, now: datetime) -> None:
    endpoint = make_endpoint(acme, now=now).endpoint
    with staff_scope():
        ReadOnlySwitch.objects.create(tenant_id=acme.id, reason="moving", engaged_at=now)
    for service in (delete_endpoint, rotate_secret, send_test_event):
        with pytest.raises(ReadOnly):
            service(endpoint_id=endpoint.id, actor=actor, now=now)
    assert stored_endpoint(endpoint).version == 1
    # Sending goes on, and with it the disabling of who is gone.
    disable_gone_endpoint(endpoint_id=endpoint.id, url=endpoint.url, actor=actor, now=now)
    assert stored_endpoint(endpoint).status == "disabled"
