"""`manage.py verify`: what it says, how it ends, and the checks that are the whole project's."""

import json
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from apps.core import clock, verification
from apps.core.scope import snapshot_scope
from apps.core.verification import Check, Finding, Over, Seen, Subject
from apps.jobs import registry, runner
from apps.jobs.errors import PermanentFailure
from apps.jobs.events import JOB_DEAD
from apps.jobs.models import Job
from apps.jobs.types import Lease
from apps.outbox.services import relay_events
from apps.tenants.models import Tenant
from tests.deploy.test_rotate_keys import seal_one_of_each
from tests.factories.incidents import make_incident
from tests.factories.jobs import lease_job, make_handler, make_job
from tests.factories.outbox import make_event
from tests.tampering import found, looked_at, tamper

pytestmark = pytest.mark.worker_login


def verify(*arguments: str) -> tuple[int, str]:
    """Run the command; return its exit code and what it says."""
    said, code = StringIO(), 0
    try:
        call_command("verify", *arguments, stdout=said)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, said.getvalue()


@pytest.fixture
def other_checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Check]]:
    """A registry of the test's own."""
    checks: dict[str, Check] = {}
    monkeypatch.setattr(verification, "_checks", checks)
    yield checks


def made_up(walk: Any, name: str = "made.up", over: Over = Over.INSTALLATION) -> None:
    verification.register(Check(name, "Made up", "It proves nothing.", "things", walk, over))


def test_a_tenants_records_are_proved_or_there_are_none(acme: Tenant) -> None:
    relay_events(now=clock.now())
    code, said = verify("--tenant", "acme", "--only", "outbox.sequence", "--only", "orders.fold")
    assert (code, "orders.fold" in said.splitlines()[0]) == (0, True)
    assert said.splitlines()[0].endswith("nothing to check")
    assert said.splitlines()[1].startswith("outbox.sequence                1 events ")
    assert said.splitlines()[1].endswith(" ok")
    assert said.splitlines()[2].startswith("2 checks over 1 tenants looked at 1 things in ")
    assert said.splitlines()[2].endswith(": 0 findings.")


def test_a_finding_says_where_what_and_what_to_do_and_ends_with_1(acme: Tenant) -> None:
    lost = make_event(acme.id)
    make_event(acme.id)
    relay_events(now=clock.now())
    tamper("DELETE FROM outbox_event WHERE id = %s", lost.id)
    code, said = verify("--only", "outbox.sequence")
    assert code == 1
    assert said.splitlines()[1:4] == [
        "  - outbox_event 2 of acme: Sequences are missing.",
        "      expected a row each; found no row",
        "    What to do: Rows were deleted or numbered past the platform. Restore them from a backup, and find out who "
        "did it.",
    ]
    code, said = verify("--only", "outbox.sequence", "--json")
    [check] = json.loads(said)["checks"]
    assert (code, check["verdict"], check["looked_at"], check["found"]) == (1, "findings", 2, 1)
    assert check["findings"][0]["tenant_id"] == str(acme.id)


def test_what_cannot_be_run_is_not_passed_over_and_ends_with_2(other_checks) -> None:
    def walk(_subject: Subject) -> Iterator[Seen]:
        yield Seen(3)
        raise ValueError("no such table")

    made_up(walk)
    made_up(lambda _subject: iter([Seen(1)]), "made.well")
    code, said = verify()
    assert code == 2
    assert said.splitlines()[1] == "    ValueError: no such table"
    assert said.splitlines()[2].endswith(" ok")
    assert said.splitlines()[3].endswith(": 0 findings, and these could not be run: made.up.")


def test_a_check_that_yields_inside_its_snapshot_is_broken(other_checks) -> None:
    def walk(_subject: Subject) -> Iterator[Seen]:
        with snapshot_scope():
            yield Seen(1)

    made_up(walk)
    assert verify()[0] == 2


def test_of_many_findings_all_are_counted_and_some_are_kept(other_checks) -> None:
    finding = Finding("table", "row", "Wrong.", "right", "wrong", "Right it.")
    made_up(lambda _subject: iter([finding] * 250))
    code, said = verify()
    assert (code, said.splitlines()[-2]) == (1, "    and 230 more")
    [check] = json.loads(verify("--json")[1])["checks"]
    assert (check["found"], len(check["findings"])) == (250, 100)


def test_no_check_is_no_proof(other_checks) -> None:
    assert verify()[0] == 2


@pytest.mark.parametrize("arguments", [["--only", "no.such"], ["--tenant", "nobody"]])
def test_a_name_that_is_not_known_is_refused(acme: Tenant, arguments: list[str]) -> None:
    with pytest.raises(CommandError, match=r"No (check|tenant) is called"):
        verify(*arguments)


def test_a_snapshot_shows_everything_as_it_was_and_writes_nothing(acme: Tenant, globex: Tenant) -> None:
    with snapshot_scope(), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM outbox_event")
        [before] = cursor.fetchone()
        tamper("DELETE FROM outbox_event")
        cursor.execute("SELECT count(*) FROM outbox_event")
        assert cursor.fetchone() == (before,) == (2,)
        with pytest.raises(DatabaseError, match=r"permission denied|read-only transaction"), transaction.atomic():
            cursor.execute("UPDATE tenants_tenant SET name = 'x'")
    with snapshot_scope(), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM outbox_event")
        assert cursor.fetchone() == (0,)
    with transaction.atomic(), pytest.raises(RuntimeError, match="outside of any transaction"), snapshot_scope():
        pass


def test_sealed_values_open_in_their_rows_alone(acme: Tenant, globex: Tenant) -> None:
    seal_one_of_each(acme)
    assert looked_at("seals.open") == 7
    tamper("UPDATE webhooks_endpointsecret SET endpoint_id = gen_random_uuid()")
    tamper("UPDATE idempotency_record SET body = set_byte(body, octet_length(body) - 1, 0)")
    tamper("UPDATE users_authenticator SET key_id = 'k9'")
    tamper("UPDATE audit_subject_key SET id = gen_random_uuid()")
    tamper("UPDATE tenants_invitation SET sealed_token = convert_to('k9|', 'UTF8') || sealed_token")
    assert [(table, expected, there) for table, _row, expected, there in found("seals.open")] == [
        ("webhooks_endpointsecret", "a value that opens", "one that does not"),
        ("users_authenticator", "t1", "k9"),
        ("tenants_invitation", "one of t1", "key k9"),
        ("idempotency_record", "a value that opens", "one that does not"),
        ("audit_subject_key", "a value that opens", "one that does not"),
    ]


def test_a_death_that_nobody_heard_of_is_found(acme: Tenant) -> None:
    job: Job = make_job(now=clock.now(), tenant_id=acme.id)
    lease_job(clock.now())
    make_incident(now=clock.now() - timedelta(hours=1), tenant_id=acme.id, kind=JOB_DEAD, key=str(job.id))
    tamper(
        "UPDATE jobs_job SET state = 'dead', leased_until = NULL, finished_at = now(), last_error_code = 'time_limit'"
    )
    assert found("jobs.deaths") == [("jobs_job", str(job.id), "an incident", "none")]


def test_a_handler_that_gave_up_by_itself_has_told_where_it_belongs(acme: Tenant) -> None:
    def give_up(_lease: Lease) -> None:
        raise PermanentFailure("not_found", "The bank knows no such account.")

    with registry.temporarily():
        make_handler(act=give_up)
        make_job(now=clock.now(), tenant_id=acme.id)
        runner.run_next("test", worker="w1")
    assert (looked_at("jobs.states"), looked_at("jobs.deaths")) == (1, 0)


def test_rows_of_no_tenant_are_found(acme: Tenant, globex: Tenant) -> None:
    assert looked_at("tenants.rows") > 30
    tamper("DELETE FROM tenants_tenant WHERE id = %s", globex.id)
    strays = found("tenants.rows")
    assert {(row, expected, there) for _table, row, expected, there in strays} == {
        (str(globex.id), "a tenant of this id", "none")
    }
    assert {"audit_entry", "outbox_event"} <= {table for table, _row, _expected, _found in strays}
