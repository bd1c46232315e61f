"""The room's pages in the admin."""

from apps.providers.admin.connections import ConnectionAdmin, QuarantinedRowAdmin, SyncRunAdmin, run_time
from apps.providers.admin.inbox import InboundHookAdmin, RefusedHookAdmin

__all__ = [
    "ConnectionAdmin",
    "InboundHookAdmin",
    "QuarantinedRowAdmin",
    "RefusedHookAdmin",
    "SyncRunAdmin",
    "run_time",
]
