"""Numbering the leaves of each log, which makes its tree grow."""

from datetime import datetime

from apps.audit.models import AuditCounter, AuditEntry
from apps.audit.services.growing import grow
from apps.core.sequencing import Stream, sequence_pending

AUDIT_LOG = Stream(rows=AuditEntry, counters=AuditCounter, happened_at="at", on_numbered=grow)


def sequence_entries(*, now: datetime) -> int:
    """Number one batch of pending entries in every tenant's log; return how many were numbered."""
    return sequence_pending(AUDIT_LOG, now=now)
