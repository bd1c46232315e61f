"""Who sends a request: what authentication hands to a view."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from apps.core.actor import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An actor bound to one tenant, and the permissions that it has; the tenants room adds what it knows of it.

    `rates` are requests a second and at once, by policy, where the tenant's differ from the installation's.
    """

    actor: Actor
    permissions: frozenset[str]
    rates: Mapping[str, Sequence[int]] = field(default_factory=dict)
