"""Runs of the verification: asked for once, run check by check whoever dies, and told to people."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from apps.audit.models import AuditEntry
from apps.core import clock, verification
from apps.core.actor import Actor
from apps.core.errors import PermissionMissing
from apps.core.scope import Reach, snapshot_scope, staff_scope
from apps.core.verification import Check, Finding, Over, Seen, Subject
from apps.incidents.models import Incident
from apps.ops.enums import Trigger
from apps.ops.models import VerificationRun
from apps.ops.services import request_due_verification, request_verification, run_next_check
from apps.ops.services.requesting import _insert
from apps.tenants.models import Tenant

pytestmark = pytest.mark.worker_login

NIGHT = datetime(2026, 3, 2, 3, 10, tzinfo=UTC)


class Checks(dict[str, Check]):
    """A registry of the test's own; what a check brings can be changed from run to run."""

    def add(self, name: str, *brought: Seen | Finding | Exception, over: Over = Over.INSTALLATION) -> list[Any]:
        holder = list(brought)

        def walk(_subject: Subject) -> Iterator[Seen | Finding]:
            for item in holder:
                if isinstance(item, Exception):
                    raise item
                yield item

        verification.register(Check(name, f"Title of {name}", "A sentence.", "things", walk, over))
        return holder


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Checks:
    registry = Checks()
    monkeypatch.setattr(verification, "_checks", registry)
    return registry


def finding_of(tenant: Tenant | None = None) -> Finding:
    return Finding("things", "1", "Wrong.", "right", "wrong", "Right it.", tenant.id if tenant else None)


def ask(now: datetime = NIGHT) -> VerificationRun:
    run = request_due_verification(now=now)
    assert run is not None
    return run


def finish(now: datetime = NIGHT) -> VerificationRun:
    while run_next_check(clock=lambda: now):
        pass
    return VerificationRun.objects.latest("id")


def incidents() -> list[tuple[str, str, int]]:
    with snapshot_scope():
        rows = Incident.objects.filter(kind="verification.findings").order_by("id")
        return list(rows.values_list("key", "state", "count"))


def test_a_run_goes_check_by_check_and_keeps_what_each_looked_at(acme: Tenant, checks: Checks) -> None:
    checks.add("a.first", Seen(3), Seen(4))
    checks.add("b.second", over=Over.TENANTS)
    ask()
    assert run_next_check(clock=lambda: NIGHT) is True
    half = VerificationRun.objects.get()
    assert (half.state, half.looked_at, half.held_until, half.attempts) == ("running", 7, None, 0)
    assert [check["verdict"] for check in half.checks] == ["passed", ""]

    assert run_next_check(clock=lambda: NIGHT) is False
    run = VerificationRun.objects.get()
    assert (run.state, run.tenants, run.looked_at, run.found) == ("proved", 1, 7, 0)
    assert [(check["verdict"], check["looked_at"]) for check in run.checks] == [("passed", 7), ("nothing", 0)]
    assert (run.started_at, run.finished_at) == (NIGHT, NIGHT)
    assert run_next_check(clock=lambda: NIGHT) is False


def test_a_night_has_one_run(checks: Checks) -> None:
    checks.add("a.first", Seen(1))
    assert request_due_verification(now=NIGHT - timedelta(minutes=11)) is None
    assert request_due_verification(now=NIGHT + timedelta(hours=3)) is None
    ask()
    assert request_due_verification(now=NIGHT) is None
    finish()
    assert request_due_verification(now=NIGHT + timedelta(minutes=5)) is None
    assert request_due_verification(now=NIGHT + timedelta(days=1)) is not None


def test_what_is_found_in_a_tenant_is_its_incident_until_it_is_proved_again(
    acme: Tenant, globex: Tenant, checks: Checks
) -> None:
    brought = checks.add("a.first", Seen(2), finding_of(acme), finding_of(acme))
    checks.add("b.second", Seen(1))
    ask()
    run = finish()
    assert (run.state, run.found, run.checks[0]["findings"][0]["tenant_id"]) == ("findings", 2, str(acme.id))
    assert incidents() == [("a.first", "open", 1)]

    ask(NIGHT + timedelta(days=1))
    finish()
    assert incidents() == [("a.first", "open", 2)]

    brought[:] = [Seen(2)]
    ask(NIGHT + timedelta(days=2))
    assert finish().state == "proved"
    assert incidents() == [("a.first", "resolved", 2)]


def test_a_check_that_breaks_proves_nothing_and_resolves_nothing(acme: Tenant, checks: Checks) -> None:
    brought = checks.add("a.first", finding_of(acme))
    ask()
    finish()
    brought[:] = [ValueError("no such table")]
    ask(NIGHT + timedelta(days=1))
    run = finish()
    assert (run.state, run.checks[0]["error"]) == ("broken", "ValueError: no such table")
    assert incidents() == [("a.first", "open", 1)]


def test_findings_of_the_installation_stand_in_the_run_and_in_the_log(
    checks: Checks, caplog: pytest.LogCaptureFixture
) -> None:
    checks.add("a.first", finding_of())
    ask()
    assert finish().state == "findings"
    assert incidents() == []
    assert "verification.not_proved" in caplog.messages


def test_a_check_is_one_workers_until_it_is_lost(checks: Checks) -> None:
    checks.add("a.first", Seen(1))
    ask()
    held = NIGHT + timedelta(minutes=1)
    VerificationRun.objects.update(state="running", started_at=NIGHT, held_until=held, attempts=1)
    assert run_next_check(clock=lambda: NIGHT) is False
    assert VerificationRun.objects.get().state == "running"
    assert finish(NIGHT + timedelta(minutes=2)).state == "proved"


def test_a_check_that_loses_three_workers_is_broken(checks: Checks) -> None:
    checks.add("a.first", Seen(1))
    ask()
    VerificationRun.objects.update(attempts=3)
    run = finish()
    assert (run.state, run.checks[0]["error"]) == ("broken", "3 workers were lost over it")


def test_a_check_that_no_process_knows_is_broken(checks: Checks) -> None:
    checks.add("a.first", Seen(1))
    ask()
    checks.clear()
    assert finish().checks[0]["error"] == "no process knows this check"


def test_two_who_ask_at_once_get_one_run(checks: Checks) -> None:
    checks.add("a.first", Seen(1))
    ask()
    with transaction.atomic():
        assert _insert(Trigger.STAFF, Actor(kind="staff", label="staff"), NIGHT) is None
    assert VerificationRun.objects.count() == 1


def test_the_whole_of_a_fresh_installation_is_proved(acme: Tenant, globex: Tenant) -> None:
    """With every check that there is; roles apart, since the test's owner may become any."""
    ask()
    run = finish()
    assert {
        check["name"]: check["error"] for check in run.checks if check["verdict"] not in ("passed", "nothing")
    } == {}
    assert run.state == "proved"
    assert run.looked_at > 2000


class TestByStaff:
    pytestmark = pytest.mark.commits

    @pytest.fixture(autouse=True)
    def web(self, database: str) -> None:
        from tests import databases

        databases.log_in("web", database)

    def test_staff_ask_with_a_leaf_and_get_the_one_that_is_under_way(self, staff, checks: Checks) -> None:
        checks.add("a.first", Seen(1))
        actor = Actor(kind="staff", label="staff", user_id=staff.id)
        run = request_verification(actor=actor, now=clock.now())
        assert request_verification(actor=actor, now=clock.now()).id == run.id
        with staff_scope():
            leaves = AuditEntry.objects.filter(action="verification.requested")
            assert [(leaf.target_id, leaf.tenant_id) for leaf in leaves] == [(str(run.id), None)]

    def test_staff_limited_to_some_tenants_ask_for_nothing(self, staff, acme: Tenant, checks: Checks) -> None:
        actor = Actor(kind="staff", label="staff", user_id=staff.id)
        with pytest.raises(PermissionMissing), staff_scope(Reach(staff.id, frozenset({acme.id}))):
            request_verification(actor=actor, now=clock.now())
        assert VerificationRun.objects.count() == 0
        assert connection.connection is not None
