"""Token buckets without a timer: GCRA in Valkey, in this process while Valkey is away.

GCRA keeps one number per bucket, the theoretical arrival time of the next request. See ITU-T I.371, "virtual
scheduling algorithm".
"""

import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from apps.core.shared import shared_state

# One round trip decides over every bucket that a request falls under: all admit it, or none is charged.
# Valkey's own clock is used, so that the processes' clocks need not agree. Microseconds stay below 2^53.
_ADMIT = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local wait, arrivals = 0, {}
for i, key in ipairs(KEYS) do
  local arrival = math.max(tonumber(redis.call('GET', key) or '0') or 0, now)
  wait = math.max(wait, arrival - tonumber(ARGV[2 * i]) - now)
  arrivals[i] = arrival
end
if wait <= 0 then
  wait = 0
  for i, key in ipairs(KEYS) do
    arrivals[i] = arrivals[i] + tonumber(ARGV[2 * i - 1])
    redis.call('SET', key, string.format('%.0f', arrivals[i]), 'PX', math.ceil((arrivals[i] - now) / 1000) + 1000)
  end
end
local answer = {math.ceil(wait)}
for i, arrival in ipairs(arrivals) do answer[i + 1] = math.ceil(arrival - now) end
return answer
"""
_PAUSE = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local until_ = now + tonumber(ARGV[1])
if until_ > (tonumber(redis.call('GET', KEYS[1]) or '0') or 0) then
  redis.call('SET', KEYS[1], string.format('%.0f', until_), 'PX', math.ceil((until_ - now) / 1000) + 1000)
end
return 0
"""


class SharedStateAway(Exception):
    """What all processes share cannot be reached."""


class Bucket(NamedTuple):
    """A limit on what `key` names: one request per `interval` microseconds, `tolerance` microseconds ahead at most."""

    key: str
    interval: int
    tolerance: int

    @classmethod
    def of(cls, key: str, *, requests: int, seconds: float, burst: int) -> "Bucket":
        """Return the bucket of `requests` per `seconds`, `burst` of them at once."""
        interval = int(seconds * 1e6 / requests)
        return cls(key, interval, interval * (burst - 1))


class Admission(NamedTuple):
    """Seconds to wait, 0.0 if admitted; of each bucket, how many microseconds from now it will be full again."""

    wait: float
    full_in: Sequence[int]


def admit(buckets: Sequence[Bucket], *, part: str, only_shared: bool = False) -> Admission:
    """Take one slot in every bucket, or none; `part` names the caller in the metric of Valkey's absence.

    Raises:
        SharedStateAway: Valkey is away, and with `only_shared` the count of this process alone is not good enough.
    """
    if not buckets:
        return Admission(0.0, ())
    arguments = [number for bucket in buckets for number in (bucket.interval, bucket.tolerance)]
    answer = shared_state().run(part, _ADMIT, keys=[bucket.key for bucket in buckets], args=arguments)
    if answer is not None:
        return Admission(answer[0] / 1e6, answer[1:])
    if only_shared:
        raise SharedStateAway
    return _local.admit(buckets)


def pause(bucket: Bucket, seconds: float, *, part: str) -> None:
    """Admit nobody to a bucket for some time."""
    microseconds = int(seconds * 1e6) + bucket.tolerance
    if shared_state().run(part, _PAUSE, keys=[bucket.key], args=[microseconds]) is None:
        _local.pause(bucket.key, microseconds)


class LocalBuckets:
    """The same arithmetic in this process. With n processes n times the limit may pass; better than none."""

    _FEW = 10_000

    def __init__(self) -> None:
        self._arrivals: dict[str, float] = {}
        self._many = self._FEW
        self._lock = threading.Lock()

    def admit(self, buckets: Sequence[Bucket]) -> Admission:
        """See `admit`."""
        now = time.monotonic() * 1e6
        with self._lock:
            arrivals = [max(self._arrivals.get(bucket.key, 0.0), now) for bucket in buckets]
            pairs = list(zip(buckets, arrivals, strict=True))
            wait = max(arrival - bucket.tolerance - now for bucket, arrival in pairs)
            if wait <= 0:
                arrivals = [arrival + bucket.interval for bucket, arrival in pairs]
                self._arrivals |= {bucket.key: arrival for bucket, arrival in zip(buckets, arrivals, strict=True)}
                self._forget(now)
        return Admission(max(wait, 0.0) / 1e6, [int(arrival - now) for arrival in arrivals])

    def pause(self, key: str, microseconds: int) -> None:
        """See `pause`."""
        with self._lock:
            self._arrivals[key] = max(self._arrivals.get(key, 0.0), time.monotonic() * 1e6 + microseconds)

    def _forget(self, now: float) -> None:
        """Drop the buckets that are full, once there are many: callers may name ever new ones."""
        if len(self._arrivals) > self._many:
            self._arrivals = {key: arrival for key, arrival in self._arrivals.items() if arrival > now}
            self._many = max(self._FEW, 2 * len(self._arrivals))


_local = LocalBuckets()
