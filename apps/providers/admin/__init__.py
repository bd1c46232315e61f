"""The room's pages in the admin."""

from apps.providers.admin.connections import ConnectionAdmin
from apps.providers.admin.inbox import InboundHookAdmin, RefusedHookAdmin
from apps.providers.admin.quarantine import QuarantinedRowAdmin
from apps.providers.admin.runs import SyncRunAdmin

__all__ = [
    "ConnectionAdmin",
    "InboundHookAdmin",
    "QuarantinedRowAdmin",
    "RefusedHookAdmin",
    "SyncRunAdmin",
]
