"""Proves what no room can prove by itself: seals open, deaths were heard of, logs are what others have witnessed."""

from collections.abc import Iterator
from functools import partial

from django.utils.translation import gettext_lazy as _

from apps.core import crypto, keyrings
from apps.core.seals import SealedTable
from apps.core.verification import Check, Finding, Over, Row, Seen, Subject, Text, look_in_batches, register
from apps.jobs.errors import PermanentFailure
from apps.jobs.events import JOB_DEAD
from finops.seals import SEALED_TABLES
from finops.witness.stores import WitnessUnreachable, open_stores
from finops.witness.witnessing import compare_all

# A handler that gives up by itself says where it belongs what a person must do; see finops/wiring/dead_jobs.py.
_GAVE_UP = f"%{PermanentFailure.__module__}.{PermanentFailure.__qualname__}: %"
_SEALED = """
SELECT id, {tenant} AS tenant_id, {key_id} AS key_id, {value} AS value, {bound_to} AS bound_to
  FROM {table} WHERE {held} AND id > %s ORDER BY id LIMIT %s
"""
_DEAD = """
SELECT id, EXISTS (SELECT FROM incidents_incident AS incident WHERE incident.tenant_id = job.tenant_id
                      AND incident.kind = %s AND incident.key = job.id::text
                      AND incident.last_seen_at >= job.started_at) AS has_incident
  FROM jobs_job AS job WHERE tenant_id = %s AND state = 'dead' AND last_traceback NOT LIKE %s
   AND id > %s ORDER BY id LIMIT %s
"""


def _walk_seals(_subject: Subject) -> Iterator[Seen | Finding]:
    for sealed in SEALED_TABLES:
        tenant = "NULL::uuid" if sealed.is_global else "tenant_id"
        words = {"key_id": sealed.key_id, "value": sealed.value, "bound_to": sealed.bound_to, "held": sealed.held}
        query = _SEALED.format(table=sealed.table, tenant=tenant, **words)
        yield from look_in_batches(query, [], partial(_open, sealed))


def _open(sealed: SealedTable, row: Row) -> Iterator[Finding]:
    def wrong(problem: Text, expected: str, found: str, remedy: Text) -> Finding:
        return Finding(sealed.table, str(row["id"]), problem, expected, found, remedy, row["tenant_id"])

    ring, key_id = keyrings.keys_of("FIELD_KEYS"), crypto.key_id_of(row["value"])
    if key_id not in ring:
        remedy = _("Put the key back into FINOPS_FIELD_KEYS, behind the current one, and run manage.py rotate_keys.")
        problem = _("A sealed value is under a key that is not on the ring.")
        yield wrong(problem, f"one of {', '.join(ring)}", f"key {key_id}", remedy)
        return
    if key_id != row["key_id"]:
        remedy = _("It was changed past the platform: correct the row's key id.")
        yield wrong(_("A row names another key than its value is under."), key_id, row["key_id"], remedy)
    try:
        crypto.decrypt(row["value"], bound_to=row["bound_to"])
    except crypto.DecryptionFailed:
        remedy = _("It was altered, or moved from another row. Restore it, or enter what it held anew.")
        yield wrong(_("A sealed value does not open."), "a value that opens", "one that does not", remedy)


def _walk_dead_jobs(subject: Subject) -> Iterator[Seen | Finding]:
    return look_in_batches(_DEAD, [JOB_DEAD, subject.tenant, _GAVE_UP], _unheard)


def _unheard(job: Row) -> Iterator[Finding]:
    if not job["has_incident"]:
        yield Finding(
            "jobs_job",
            str(job["id"]),
            _("A job died and nobody was told."),
            "an incident",
            "none",
            _("Open the job, remove what its error names, then replay it or discard it with a reason."),
        )


def _walk_witnesses(_subject: Subject) -> Iterator[Seen | Finding]:
    unreachable = []
    for comparison in compare_all(open_stores()):
        if comparison.is_contradicted:
            yield Finding(
                "audit_checkpoint",
                comparison.origin,
                _("A log is not the one that was witnessed."),
                f"what {comparison.witness} holds",
                comparison.problem,
                _("It was truncated, forked or rewritten. Keep the witness's checkpoint, and find out who did it."),
            )
        elif comparison.problem:
            unreachable.append(f"{comparison.witness}: {comparison.problem}")
        yield Seen(1)
    if unreachable:
        raise WitnessUnreachable("; ".join(unreachable[:3]))


register(
    Check(
        "seals.open",
        _("Everything that is sealed opens"),
        _("Each sealed value is under a key of the ring, and opens in the row that it stands in."),
        _("sealed values"),
        _walk_seals,
        Over.INSTALLATION,
    ),
    Check(
        "audit.witness",
        _("Every log is the one that was witnessed"),
        _("Each log continues the checkpoint that each witness holds of it."),
        _("comparisons"),
        _walk_witnesses,
        Over.INSTALLATION,
    ),
    Check(
        "jobs.deaths",
        _("Every job that died called somebody"),
        _("Each job that failed for good, unless its handler gave up by itself, has an incident of that time."),
        _("dead jobs"),
        _walk_dead_jobs,
    ),
)
