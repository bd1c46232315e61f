"""The audit log, what was signed of it and whom it names, as staff see them."""

from apps.audit.admin.checkpoints import CheckpointAdmin
from apps.audit.admin.entries import AuditEntryAdmin
from apps.audit.admin.people import AuditSubjectKeyAdmin

__all__ = ["AuditEntryAdmin", "AuditSubjectKeyAdmin", "CheckpointAdmin"]
