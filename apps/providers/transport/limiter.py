"""Keeps within the limits that a venue meters: GCRA in Valkey, in this process while Valkey is away.

GCRA stores one number per limit, the theoretical arrival time of the next request: a token bucket without a
timer. See ITU-T I.371, "virtual scheduling algorithm".
"""

import threading
import time
from collections.abc import Sequence

from apps.providers.protocols import Limit
from apps.providers.transport.shared import shared_state

# One round trip decides over every limit that a request falls under: all admit it, or none is charged.
# Valkey's own clock is used, so that the processes' clocks need not agree. Microseconds stay below 2^53.
_ADMIT = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local wait, arrivals = 0, {}
for i, key in ipairs(KEYS) do
  local arrival = math.max(tonumber(redis.call('GET', key) or '0') or 0, now)
  wait = math.max(wait, arrival - tonumber(ARGV[2 * i]) - now)
  arrivals[i] = arrival + tonumber(ARGV[2 * i - 1])
end
if wait > 0 then return math.ceil(wait) end
for i, key in ipairs(KEYS) do
  redis.call('SET', key, string.format('%.0f', arrivals[i]), 'PX', math.ceil((arrivals[i] - now) / 1000) + 1000)
end
return 0
"""
_PAUSE = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local until_ = now + tonumber(ARGV[1]) + tonumber(ARGV[2])
if until_ > (tonumber(redis.call('GET', KEYS[1]) or '0') or 0) then
  redis.call('SET', KEYS[1], string.format('%.0f', until_), 'PX', math.ceil((until_ - now) / 1000) + 1000)
end
return 0
"""


class Limiter:
    """The limits of one provider, as one connection meets them."""

    def __init__(self, provider: str, connection_key: str, limits: Sequence[Limit]) -> None:
        self._limits = list(limits)
        self._keys = [
            f"finops:limit:{{{provider}}}:{limit.scope}:{connection_key if limit.scope == 'connection' else 'all'}"
            for limit in limits
        ]
        self._arguments = [number for limit in limits for number in _microseconds(limit)]

    def admit(self) -> float:
        """Take one slot in every limit and return 0.0, or take none and return the seconds to wait."""
        if not self._keys:
            return 0.0
        wait = shared_state().run("limiter", _ADMIT, keys=self._keys, args=self._arguments)
        if wait is None:
            return _local.admit(self._keys, self._arguments)
        return float(wait) / 1e6

    def pause(self, seconds: float) -> None:
        """Hold back everyone under the widest limit: the provider has asked for it."""
        if self._keys:
            pause, (_interval, tolerance) = int(seconds * 1e6), _microseconds(self._limits[0])
            answer = shared_state().run("limiter", _PAUSE, keys=self._keys[:1], args=[pause, tolerance])
            if answer is None:
                _local.pause(self._keys[0], pause + tolerance)


class LocalBuckets:
    """The same arithmetic in this process. With n processes the venue may see n times the limit; better than none."""

    def __init__(self) -> None:
        self._arrivals: dict[str, float] = {}
        self._lock = threading.Lock()

    def admit(self, keys: Sequence[str], arguments: Sequence[int]) -> float:
        """See Limiter.admit."""
        now = time.monotonic() * 1e6
        pairs = list(zip(keys, arguments[::2], arguments[1::2], strict=True))
        with self._lock:
            wait = max(max(self._arrivals.get(key, 0.0), now) - tolerance - now for key, _interval, tolerance in pairs)
            if wait > 0:
                return wait / 1e6
            for key, interval, _tolerance in pairs:
                self._arrivals[key] = max(self._arrivals.get(key, 0.0), now) + interval
        return 0.0

    def pause(self, key: str, microseconds: int) -> None:
        """See Limiter.pause."""
        with self._lock:
            self._arrivals[key] = max(self._arrivals.get(key, 0.0), time.monotonic() * 1e6 + microseconds)


_local = LocalBuckets()


def _microseconds(limit: Limit) -> tuple[int, int]:
    """Return the interval between requests, and how far ahead of it a burst may run."""
    interval = int(limit.seconds * 1e6 / limit.requests)
    return interval, interval * (limit.burst - 1)
