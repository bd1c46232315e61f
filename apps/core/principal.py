"""Who sends a request: what authentication hands to a view."""

from dataclasses import dataclass

from apps.core.actor import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An actor bound to one tenant, and the permissions that it has; the tenants room adds what it knows of it."""

    actor: Actor
    permissions: frozenset[str]
