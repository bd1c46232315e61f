"""Who sends a request: what authentication hands to a view."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from apps.core.actor import Actor
from apps.core.objects import Objects
from apps.core.permissions import IMPLIED_BY


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An actor bound to one tenant, and the permissions that it has; the tenants room adds what it knows of it.

    A user has them by a `role`, an API key (`role` is None) as its scopes; the actor carries the conditions under which
    they are held, and what it was granted for single objects. `ceiling` is all that can be reached at most, whatever
    the permissions: None is no such bound. `only_paper`: real money is out of reach. `rates` are requests a second and
    at once, by policy, where the tenant's differ from the installation's. `proved_at` is when the user behind a session
    last proved who they are, None for whoever has no session; `must_enrol`: the tenant wants a second factor that they
    do not have.
    """

    actor: Actor
    permissions: frozenset[str]
    role: str | None = None
    ceiling: frozenset[str] | None = None
    only_paper: bool = False
    rates: Mapping[str, Sequence[int]] = field(default_factory=dict)
    proved_at: datetime | None = None
    must_enrol: bool = False

    @property
    def reachable(self) -> frozenset[str]:
        """The permissions, as far as the ceiling lets them be used."""
        return self.permissions if self.ceiling is None else self.permissions & self.ceiling

    def objects_for(self, permission: str) -> Objects:
        """Return the objects that a permission was granted for, by itself or by the one that implies it."""
        granted = self.actor.granted
        if not granted:
            return Objects()
        by_another = granted.get(IMPLIED_BY.get(permission, permission), Objects())
        return granted.get(permission, Objects()) | by_another
