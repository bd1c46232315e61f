"""Every write of the audit room."""

from apps.audit.services.batching import BatchRow, record_batch
from apps.audit.services.erasing import SUBJECT_ERASED, erase_everywhere, erase_subject
from apps.audit.services.growing import CHECKPOINT_INTERVAL, sign_due_checkpoints
from apps.audit.services.numbering import AUDIT_LOG, sequence_entries
from apps.audit.services.recording import new_entry, record, record_statement, visitors_of
from apps.audit.services.resealing import SUBJECT_KEYS

__all__ = [
    "AUDIT_LOG",
    "CHECKPOINT_INTERVAL",
    "SUBJECT_ERASED",
    "SUBJECT_KEYS",
    "BatchRow",
    "erase_everywhere",
    "erase_subject",
    "new_entry",
    "record",
    "record_batch",
    "record_statement",
    "sequence_entries",
    "sign_due_checkpoints",
    "visitors_of",
]
