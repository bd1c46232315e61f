"""Incidents for tests."""

from datetime import datetime
from typing import Any
from uuid import UUID

from apps.core.actor import Actor, system_actor
from apps.incidents.enums import Severity
from apps.incidents.models import Incident
from apps.incidents.services import open_incident

TENANT = UUID("0198c5a0-0000-7000-8000-00000000000a")
TARGET = UUID("0198c5a0-0000-7000-8000-0000000000aa")


def make_incident(*, now: datetime, tenant_id: UUID = TENANT, actor: Actor | None = None, **fields: Any) -> Incident:
    """Open (or count) an incident about a connection that fails to sync."""
    values: dict[str, Any] = {
        "kind": "connection.sync_failed",
        "key": "c-1",
        "title": "First Bank cannot be synced",
        "severity": Severity.WARNING,
        "target_type": "connection",
        "target_id": TARGET,
        "detail": {"code": "provider_unavailable"},
        **fields,
    }
    return open_incident(actor=actor or system_actor("tests", tenant_id=tenant_id), now=now, **values)
