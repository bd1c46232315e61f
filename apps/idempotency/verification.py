"""Proves idempotency: every key that was taken has its answer, and no secret is kept longer than it may be."""

from collections.abc import Iterator
from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from apps.core.verification import Check, Finding, Row, Seen, Subject, Text, look_in_batches, register

# What has expired is swept every minute, for as long as it takes.
SWEPT_WITHIN = timedelta(hours=3)
_RECORDS = """
SELECT id, status, body IS NOT NULL AS has_body, octet_length(fingerprint) AS fingerprint_bytes, expires_at,
       body_expires_at
  FROM idempotency_record WHERE tenant_id = %s AND id > %s ORDER BY id LIMIT %s
"""
_NO_SWEEP = _("The sweep has not run: look whether beat and the workers run.")
_BY_HAND = _("It was changed past the platform: delete the record, so that the client's key can be used again.")


def _walk(subject: Subject) -> Iterator[Seen | Finding]:
    return look_in_batches(_RECORDS, [subject.tenant_id], lambda row: _judge(row, subject))


def _judge(record: Row, subject: Subject) -> Iterator[Finding]:
    def wrong(problem: Text, expected: str, found: str, remedy: Text = _BY_HAND) -> Finding:
        return Finding("idempotency_record", str(record["id"]), problem, expected, found, remedy)

    until, swept_before = record["body_expires_at"], subject.now - SWEPT_WITHIN
    may_be_gone = until is not None and until <= subject.now
    if record["status"] is None or record["fingerprint_bytes"] != 32:
        found = f"status {record['status']}, a fingerprint of {record['fingerprint_bytes']} bytes"
        yield wrong(_("A key was taken and has no answer."), "a status, a fingerprint of 32 bytes", found)
    elif not record["has_body"] and not may_be_gone:
        yield wrong(_("The body of an answer is gone."), "a body", "none")
    if record["has_body"] and until is not None and until < swept_before:
        yield wrong(_("An answer with a secret is kept too long."), f"gone after {until}", "still kept", _NO_SWEEP)
    if record["expires_at"] < swept_before:
        yield wrong(_("A record is kept too long."), f"gone after {record['expires_at']}", "still kept", _NO_SWEEP)


register(
    Check(
        "idempotency.answers",
        _("Every key has its answer"),
        _("A key that was taken has the answer that it got; one with a secret is gone once its time is over."),
        _("keys"),
        _walk,
    )
)
