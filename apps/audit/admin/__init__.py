"""The audit log and what was signed of it, as staff see them: read-only."""

from apps.audit.admin.checkpoints import CheckpointAdmin
from apps.audit.admin.entries import AuditEntryAdmin

__all__ = ["AuditEntryAdmin", "CheckpointAdmin"]
