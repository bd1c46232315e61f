"""What one call to a provider is, and its bounds."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.providers.transport.breaker import BreakerPolicy

_SAFE_METHODS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPolicy:
    """Bounds of one call. `deadline_seconds` covers waiting for a slot, every try and the pauses between them."""

    connect_seconds: float = 5.0
    read_seconds: float = 20.0
    deadline_seconds: float = 60.0
    tries: int = 3
    backoff_seconds: float = 0.3
    longest_wait_seconds: float = 5.0
    max_bytes: int = 32 * 1024 * 1024
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)


@dataclass(frozen=True, slots=True)
class Call:
    """One call: what is sent, and when it ends at the latest (of `time.monotonic`)."""

    operation: str
    method: str
    path: str
    params: Mapping[str, str | int] | None
    body: Any
    policy: CallPolicy
    ends_at: float

    @property
    def is_safe(self) -> bool:
        """Whether the request changes nothing at the provider."""
        return self.method in _SAFE_METHODS

    @property
    def remaining(self) -> float:
        """Return the seconds that are left."""
        return self.ends_at - time.monotonic()
