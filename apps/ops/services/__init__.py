"""Every write of the ops room."""

from apps.ops.services.requesting import request_due_verification, request_verification
from apps.ops.services.running import run_next_check

__all__ = ["request_due_verification", "request_verification", "run_next_check"]
