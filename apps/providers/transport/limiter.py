"""Keeps within the limits that a venue meters."""

from collections.abc import Sequence

from apps.core.shared import gcra
from apps.core.shared.gcra import Bucket
from apps.providers.protocols import Limit

_PART = "limiter"


class Limiter:
    """The limits of one provider, as one connection meets them."""

    def __init__(self, provider: str, connection_key: str, limits: Sequence[Limit]) -> None:
        self._buckets = [_bucket(provider, connection_key, limit) for limit in limits]

    def admit(self) -> float:
        """Take one slot in every limit and return 0.0, or take none and return the seconds to wait."""
        return gcra.admit(self._buckets, part=_PART).wait

    def pause(self, seconds: float) -> None:
        """Hold back everyone under the widest limit: the provider has asked for it."""
        if self._buckets:
            gcra.pause(self._buckets[0], seconds, part=_PART)


def _bucket(provider: str, connection_key: str, limit: Limit) -> Bucket:
    whose = connection_key if limit.scope == "connection" else "all"
    key = f"finops:limit:{{{provider}}}:{limit.scope}:{whose}"
    return Bucket.of(key, requests=limit.requests, seconds=limit.seconds, burst=limit.burst)
