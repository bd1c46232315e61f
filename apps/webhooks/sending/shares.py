"""Who holds a process's slots: no tenant more than are free.

The first whose receivers hang holds half of them, two such tenants a third each, and nineteen leave a twentieth. So
whoever comes next finds a slot at once, and one tenant alone still has plenty.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

from apps.webhooks.types import Claim, Share


class Shares:
    """What each tenant has on the wire, and where its next turn begins."""

    def __init__(self, slots: int) -> None:
        self.free = slots
        self._held: dict[UUID, int] = {}
        # Of the tenants that had more to send than their share, so that the last of their endpoints have their turn.
        self._afters: dict[UUID, UUID] = {}

    def begin(self, tenant_id: UUID) -> None:
        """Count a request that is being sent."""
        self.free -= 1
        self._held[tenant_id] = self._held.get(tenant_id, 0) + 1

    def end(self, tenant_id: UUID) -> None:
        """Count its end."""
        self.free += 1
        self._held[tenant_id] -= 1
        if not self._held[tenant_id]:
            del self._held[tenant_id]

    def now(self) -> dict[UUID, Share]:
        """Return the shares of those who hold something or have had a part of their turn."""
        known = self._held.keys() | self._afters.keys()
        return {key: Share(self._held.get(key, 0), self._afters.get(key)) for key in known}

    def move_on(self, claims: Sequence[Claim], *, slots: int, shares: Mapping[UUID, Share]) -> bool:
        """Note how far the turns have come with these claims; tell whether a turn begins anew.

        `slots` and `shares` are those that were claimed with. A tenant that was not full has had all of its turn.
        """
        # The next of a tenant's would have been its (held + got + 1)th and the (claims + 1)th of all: whether there was
        # room for it, the last condition of the claim decides ("holds + taken - 1 <= slots" in services/leasing.py).
        before = self._afters
        last = {claim.tenant_id: claim.endpoint_id for claim in sorted(claims, key=lambda claim: claim.endpoint_id)}
        got = Counter(claim.tenant_id for claim in claims)
        self._afters = {
            tenant_id: endpoint_id
            for tenant_id, endpoint_id in (before | last).items()
            if shares.get(tenant_id, Share(0)).held + got[tenant_id] + 1 + len(claims) > slots
        }
        return any(tenant_id not in self._afters for tenant_id in before)
