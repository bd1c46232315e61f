"""Proves the queues: every job is in a state that it can be in."""

from collections.abc import Iterator
from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from apps.core.verification import Check, Finding, Row, Seen, Subject, Text, look_in_batches, register
from apps.jobs.enums import ACTIVE_STATES, JobState

# The sweep takes back what expired every two seconds; the clocks of machines may differ by less than this.
LONG_GONE = timedelta(minutes=10)
_JOBS = """
SELECT id, state, leased_until, leased_by, attempts, fence, finished_at,
       unique_key <> '' AND state = ANY(%s) AND EXISTS (
           SELECT FROM jobs_job AS twin WHERE twin.tenant_id = jobs_job.tenant_id AND twin.kind = jobs_job.kind
              AND twin.unique_key = jobs_job.unique_key AND twin.state = ANY(%s) AND twin.id <> jobs_job.id) AS has_twin
  FROM jobs_job WHERE tenant_id = %s AND id > %s ORDER BY id LIMIT %s
"""
_BY_HAND = _("It was changed past the platform. Compare it with its kind's handler, then replay or discard it.")
_NO_SWEEP = _("No worker has taken it back: look whether beat and the workers run.")


def _walk(subject: Subject) -> Iterator[Seen | Finding]:
    active = list(ACTIVE_STATES)
    return look_in_batches(_JOBS, [active, active, subject.tenant_id], lambda row: _judge(row, subject))


def _judge(job: Row, subject: Subject) -> Iterator[Finding]:
    def wrong(problem: Text, expected: str, found: str, remedy: Text = _BY_HAND) -> Finding:
        return Finding("jobs_job", str(job["id"]), problem, expected, found, remedy)

    is_leased, until = job["state"] == JobState.LEASED, job["leased_until"]
    if is_leased and (until is None or not job["leased_by"] or not job["attempts"] or not job["fence"]):
        found = f"until {until}, by {job['leased_by'] or 'nobody'}, attempt {job['attempts']}, fence {job['fence']}"
        yield wrong(_("A leased job lacks a part of its lease."), "an end, a worker, an attempt, a fence", found)
    elif is_leased and until < subject.now - LONG_GONE:
        yield wrong(_("A lease is long over."), f"over after {until}", "still leased", _NO_SWEEP)
    elif not is_leased and until is not None:
        yield wrong(_("A job that is not leased has a lease."), "no lease", f"leased until {until}")
    if (job["state"] in ACTIVE_STATES) != (job["finished_at"] is None):
        expected = "no end" if job["state"] in ACTIVE_STATES else "an end"
        yield wrong(_("A job's state and its end contradict each other."), expected, f"ended {job['finished_at']}")
    if job["has_twin"]:
        yield wrong(_("Two active jobs have the same unique key."), "one active job", "another one")


register(
    Check(
        "jobs.states",
        _("Every job is in a possible state"),
        _("Leases have an end and are taken back once it is long over; what has ended says when; unique keys are."),
        _("jobs"),
        _walk,
    )
)
