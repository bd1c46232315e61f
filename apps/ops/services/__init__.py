"""Every write of the ops room."""

from apps.ops.services.clearing import clear_batch, clear_some, request_clearing, stop_clearing
from apps.ops.services.dead_letters import discard_dead_letter, replay_dead_letter
from apps.ops.services.requesting import request_due_verification, request_verification
from apps.ops.services.running import run_next_check

__all__ = [
    "clear_batch",
    "clear_some",
    "discard_dead_letter",
    "replay_dead_letter",
    "request_clearing",
    "request_due_verification",
    "request_verification",
    "run_next_check",
    "stop_clearing",
]
