"""Who acts: carried by every service call, audit leaf, event, job and log line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self
from uuid import UUID

from apps.core.conditions import Condition
from apps.core.objects import Objects

ActorKind = Literal["user", "api_key", "staff", "system"]
_STORED = (
    "kind",
    "label",
    "tenant_id",
    "user_id",
    "impersonator_id",
    "api_key_id",
    "request_id",
    "ip",
)
_UUID_FIELDS = ("tenant_id", "user_id", "impersonator_id", "api_key_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A principal and the request it came with.

    `tenant_id` is the tenant acted upon; a staff actor has none until an action names one (see `for_tenant`).
    `impersonator_id` is the staff user behind a member. `label` is a readable name, frozen at the time. `conditions`
    and what was `granted` for single objects alone, by permission, go with whoever acts to where they can be judged
    (apps/core/decisions.py); they are stored nowhere.
    """

    kind: ActorKind
    label: str
    tenant_id: UUID | None = None
    user_id: UUID | None = None
    impersonator_id: UUID | None = None
    api_key_id: UUID | None = None
    request_id: str = ""
    ip: str = ""
    conditions: Mapping[str, tuple[Condition, ...]] = field(default_factory=dict, compare=False, repr=False)
    granted: Mapping[str, Objects] = field(default_factory=dict, compare=False, repr=False)

    def for_tenant(self, tenant_id: UUID) -> Self:
        """Return the same actor, acting upon this tenant."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return type(self)(**{**values, "tenant_id": tenant_id})

    def as_json(self) -> dict[str, Any]:
        """Return the actor as stored in audit leaves and jobs: only what is set, ids as strings."""
        return {name: str(value) for name in _STORED if (value := getattr(self, name))}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Return the actor that `as_json` stored."""
        values: dict[str, Any] = {key: UUID(value) if key in _UUID_FIELDS else value for key, value in data.items()}
        return cls(**values)


def system_actor(component: str, *, tenant_id: UUID | None = None, request_id: str = "") -> Actor:
    """Return the actor for what the platform does by itself, such as `system_actor("scheduler")`."""
    return Actor(kind="system", label=component, tenant_id=tenant_id, request_id=request_id)
