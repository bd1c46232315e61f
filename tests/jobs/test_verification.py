"""`jobs.states`: a job in a state that it cannot be in is found."""

from datetime import timedelta

import pytest

from apps.core import clock
from apps.jobs.models import Job
from tests.factories.jobs import lease_job, make_job
from tests.tampering import found, looked_at, raw_tables, tamper

pytestmark = pytest.mark.worker_login

CHECK = "jobs.states"


@pytest.fixture
def leased(acme) -> Job:
    job = make_job(now=clock.now(), tenant_id=acme.id)
    make_job(now=clock.now(), tenant_id=acme.id, unique_key="one")
    assert lease_job(clock.now()).job_id == job.id
    return job


def test_jobs_in_their_order_are_proved(leased) -> None:
    assert looked_at(CHECK) == 2


def test_a_lease_that_is_long_over_is_found(leased) -> None:
    tamper("UPDATE jobs_job SET leased_until = '2026-01-01T00:00:00Z' WHERE id = %s", leased.id)
    assert found(CHECK) == [("jobs_job", str(leased.id), "over after 2026-01-01 00:00:00+00:00", "still leased")]


def test_a_lease_that_is_over_since_a_moment_is_the_sweeps(leased) -> None:
    tamper("UPDATE jobs_job SET leased_until = %s WHERE id = %s", clock.now() - timedelta(minutes=1), leased.id)
    assert looked_at(CHECK) == 2


def test_a_lease_without_a_fence_is_found(leased) -> None:
    tamper("UPDATE jobs_job SET fence = 0, leased_by = '' WHERE id = %s", leased.id)
    [(_table, row, expected, there)] = found(CHECK)
    assert (row, expected) == (str(leased.id), "an end, a worker, an attempt, a fence")
    assert there.endswith("by nobody, attempt 1, fence 0")


def test_an_end_that_contradicts_the_state_is_found(leased) -> None:
    tamper("UPDATE jobs_job SET state = 'succeeded', leased_until = NULL WHERE id = %s", leased.id)
    assert found(CHECK) == [("jobs_job", str(leased.id), "an end", "ended None")]


def test_a_lease_without_an_end_and_a_twin_are_found_where_no_constraint_is_left(leased) -> None:
    with raw_tables() as owner:
        owner.execute("ALTER TABLE jobs_job DROP CONSTRAINT jobs_job_leased_until_iff_leased")
        owner.execute("DROP INDEX jobs_job_one_active_per_key")
    tamper("UPDATE jobs_job SET leased_until = NULL WHERE id = %s", leased.id)
    tamper(
        """INSERT INTO jobs_job SELECT (jsonb_populate_record(job, jsonb_build_object('id', gen_random_uuid()))).*
           FROM jobs_job AS job WHERE unique_key = 'one'"""
    )
    assert sorted(expected for _table, _row, expected, _found in found(CHECK)) == [
        "an end, a worker, an attempt, a fence",
        "one active job",
        "one active job",
    ]
