"""What a service hands to the outbox."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """Something that happened to an entity: `type` is "<noun>.<past participle>", `data` JSON-like."""

    type: str
    entity_type: str
    entity_id: UUID
    data: Mapping[str, Any]
    schema_version: int = 1
