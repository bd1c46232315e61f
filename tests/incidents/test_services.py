"""Incidents: one standing per trouble, counted, acknowledged, resolved."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.db import DatabaseError

from apps.core.actor import Actor, system_actor
from apps.core.errors import NotFound
from apps.core.scope import staff_scope, tenant_scope, write_scope
from apps.incidents.enums import IncidentState
from apps.incidents.errors import IncidentAlreadyResolved
from apps.incidents.models import Incident
from apps.incidents.services import acknowledge_incident, resolve_incident, resolve_incident_by_id
from tests.factories.incidents import TARGET, TENANT, make_incident
from tests.tenants.records import emitted, leaves
from tests.threads import at_once

OTHER_TENANT = uuid4()
STAFF = Actor(kind="staff", label="ada", user_id=uuid4(), tenant_id=TENANT)


def _standing() -> list[tuple[str, int, str]]:
    with tenant_scope(TENANT):
        return list(Incident.objects.order_by("id").values_list("key", "count", "state"))


def _resolve(now: datetime, key: str = "c-1") -> None:
    resolve_incident(kind="connection.sync_failed", key=key, actor=STAFF, now=now)


def test_an_incident_says_what_about_what_since_when(now: datetime) -> None:
    incident = make_incident(now=now)
    assert (incident.kind, incident.key, incident.state, incident.severity) == (
        "connection.sync_failed",
        "c-1",
        "open",
        "warning",
    )
    assert (incident.target_type, incident.target_id, incident.count) == ("connection", TARGET, 1)
    assert (incident.first_seen_at, incident.last_seen_at) == (now, now)


def test_the_same_trouble_counts_up_and_refreshes_what_is_shown(now: datetime) -> None:
    first = make_incident(now=now)
    later = now + timedelta(hours=1)
    again = make_incident(now=later, title="First Bank is down", severity="critical", detail={"code": "timeout"})
    assert (again.id, again.count, again.title, again.severity) == (first.id, 2, "First Bank is down", "critical")
    assert (again.first_seen_at, again.last_seen_at, again.detail) == (now, later, {"code": "timeout"})


def test_other_trouble_is_another_incident(now: datetime) -> None:
    make_incident(now=now)
    make_incident(now=now, key="c-2")
    make_incident(now=now, kind="job.dead")
    make_incident(now=now, tenant_id=OTHER_TENANT)
    assert _standing() == [("c-1", 1, "open"), ("c-2", 1, "open"), ("c-1", 1, "open")]
    with staff_scope():
        assert Incident.objects.count() == 4


def test_an_acknowledged_incident_stays_acknowledged_when_it_repeats(now: datetime) -> None:
    incident = make_incident(now=now)
    acknowledged = acknowledge_incident(incident_id=incident.id, actor=STAFF, now=now)
    assert (acknowledged.state, acknowledged.acknowledged_at) == ("acknowledged", now)
    assert acknowledged.acknowledged_by == STAFF.as_json()
    make_incident(now=now)
    assert _standing() == [("c-1", 2, "acknowledged")]


def test_a_second_acknowledgement_changes_nothing(now: datetime) -> None:
    incident = make_incident(now=now)
    acknowledge_incident(incident_id=incident.id, actor=STAFF, now=now)
    other = system_actor("other", tenant_id=TENANT)
    again = acknowledge_incident(incident_id=incident.id, actor=other, now=now + timedelta(hours=1))
    assert (again.acknowledged_at, again.acknowledged_by) == (now, STAFF.as_json())


def test_a_resolved_trouble_that_returns_is_a_new_incident(now: datetime) -> None:
    first = make_incident(now=now)
    _resolve(now)
    second = make_incident(now=now)
    assert second.id != first.id
    assert _standing() == [("c-1", 1, "resolved"), ("c-1", 1, "open")]


def test_resolving_what_does_not_stand_changes_nothing(now: datetime) -> None:
    make_incident(now=now)
    _resolve(now, key="c-9")
    assert _standing() == [("c-1", 1, "open")]


def test_a_resolved_incident_is_not_acknowledged(now: datetime) -> None:
    incident = make_incident(now=now)
    _resolve(now)
    with pytest.raises(IncidentAlreadyResolved):
        acknowledge_incident(incident_id=incident.id, actor=STAFF, now=now)


def test_another_tenants_incident_is_not_found(now: datetime) -> None:
    incident = make_incident(now=now, tenant_id=OTHER_TENANT)
    with pytest.raises(NotFound):
        acknowledge_incident(incident_id=incident.id, actor=STAFF, now=now)


def test_each_change_leaves_one_leaf_and_one_event_and_a_repeat_none(now: datetime) -> None:
    incident = make_incident(now=now)
    make_incident(now=now)
    acknowledge_incident(incident_id=incident.id, actor=STAFF, now=now)
    acknowledge_incident(incident_id=incident.id, actor=STAFF, now=now)
    _resolve(now)
    _resolve(now)
    opened = {
        "state": [None, "open"],
        "kind": [None, "connection.sync_failed"],
        "key": [None, "c-1"],
        "severity": [None, "warning"],
    }
    assert leaves(TENANT) == [
        ("incident.opened", opened),
        ("incident.acknowledged", {"state": ["open", "acknowledged"]}),
        ("incident.resolved", {"state": ["acknowledged", "resolved"]}),
    ]
    told = {
        "kind": "connection.sync_failed",
        "severity": "warning",
        "title": "First Bank cannot be synced",
        "target_type": "connection",
        "target_id": str(TARGET),
    }
    assert emitted(TENANT) == [
        ("incident.opened", {"state": "open", **told}),
        ("incident.acknowledged", {"state": "acknowledged", **told}),
        ("incident.resolved", {"state": "resolved", **told}),
    ]


def test_one_incident_is_resolved_by_hand_once_with_what_was_done(now: datetime) -> None:
    incident, other = make_incident(now=now), make_incident(now=now, key="c-2")
    resolve_incident_by_id(incident_id=incident.id, reason="bank is back", actor=STAFF, now=now)
    assert _standing() == [("c-1", 1, "resolved"), ("c-2", 1, "open")]
    changes = {"state": ["open", "resolved"], "reason": [None, "bank is back"]}
    assert leaves(TENANT)[2:] == [("incident.resolved", changes)]
    with pytest.raises(IncidentAlreadyResolved):
        resolve_incident_by_id(incident_id=incident.id, reason="again", actor=STAFF, now=now)
    with pytest.raises(NotFound):
        stranger = system_actor("tests", tenant_id=OTHER_TENANT)
        resolve_incident_by_id(incident_id=other.id, reason="not mine", actor=stranger, now=now)


def test_secrets_are_masked(now: datetime) -> None:
    incident = make_incident(
        now=now, title="Bearer abcdefghijklmnop0123 was refused", detail={"access_token": "x", "tries": 3}
    )
    assert incident.title == "Bearer [redacted] was refused"
    assert incident.detail == {"access_token": "[redacted]", "tries": 3}


def test_an_unknown_severity_is_a_programming_error(now: datetime) -> None:
    with pytest.raises(ValueError, match="'dire' is not a valid Severity"):
        make_incident(now=now, severity="dire")


def test_staff_read_incidents_and_change_them_only_through_services(now: datetime) -> None:
    make_incident(now=now)
    with pytest.raises(DatabaseError, match="permission denied"), staff_scope():
        Incident.objects.update(state=IncidentState.RESOLVED)


def test_nothing_of_an_incident_can_be_deleted(now: datetime) -> None:
    make_incident(now=now)
    with pytest.raises(DatabaseError, match="permission denied"), write_scope(STAFF):
        Incident.objects.all().delete()


@pytest.mark.commits
def test_concurrent_sightings_are_one_incident_with_an_exact_count(now: datetime) -> None:
    at_once(lambda _witness: [make_incident(now=now) for _ in range(5)], range(4))
    assert _standing() == [("c-1", 20, "open")]
