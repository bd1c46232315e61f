"""What a service hands to the outbox, and what the outbox hands on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """Something that happened to an entity: `type` is in the catalogue, `data` its payload, or that as JSON text."""

    type: str
    entity_type: str
    entity_id: UUID
    data: Mapping[str, object] | str


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayedEvent:
    """An event that has just been given its place among its tenant's events."""

    id: UUID
    tenant_id: UUID
    type: str
    entity_type: str
    entity_id: UUID
    data: Mapping[str, Any]
    occurred_at: datetime
    sequence: int
