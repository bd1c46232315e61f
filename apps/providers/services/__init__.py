"""Every write of the providers room."""

from apps.providers.services.connections import create_connection, delete_connection
from apps.providers.services.forgetting import forget_hooks
from apps.providers.services.inbox import process_hook, receive_hook, replay_hook
from apps.providers.services.rotation import CREDENTIALS
from apps.providers.services.runs import fail_run, finish_run, request_sync, start_run
from apps.providers.services.schedule import schedule_due_syncs

__all__ = [
    "CREDENTIALS",
    "create_connection",
    "delete_connection",
    "fail_run",
    "finish_run",
    "forget_hooks",
    "process_hook",
    "receive_hook",
    "replay_hook",
    "request_sync",
    "schedule_due_syncs",
    "start_run",
]
