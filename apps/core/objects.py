"""Single objects that somebody was granted a permission for, who does not hold it for all of the tenant."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Objects:
    """Accounts and connections of one tenant; a connection's accounts are among the accounts."""

    accounts: frozenset[UUID] = frozenset()
    connections: frozenset[UUID] = frozenset()

    def __or__(self, other: "Objects") -> "Objects":
        return Objects(self.accounts | other.accounts, self.connections | other.connections)

    def __bool__(self) -> bool:
        return bool(self.accounts or self.connections)


def beside(permissions: Collection[str], granted: Mapping[str, Objects]) -> dict[str, Objects]:
    """Return what a grant adds to permissions that are held for all of the tenant: those limit nothing."""
    return {name: objects for name, objects in granted.items() if name not in permissions}


def as_array(ids: Collection[UUID]) -> str:
    """Return ids as PostgreSQL writes an array, the same for the same ids."""
    return "{" + ",".join(sorted(map(str, ids))) + "}"
