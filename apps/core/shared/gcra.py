"""Token buckets without a timer, and slots that are held: in Valkey, in this process while Valkey is away.

GCRA keeps one number per bucket, the theoretical arrival time of the next request. See ITU-T I.371, "virtual
scheduling algorithm". Slots are leases: a process that is killed gives back what it held when they run out.
"""

import secrets
import threading
import time
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from apps.core.shared.state import shared_state

# One round trip decides over every bucket that a request falls under: all admit it, or none is charged. Then over the
# slots: it gets one of each, or none; a request that finds them taken has been charged, so that trying costs.
# Valkey's own clock is used, so that the processes' clocks need not agree. Microseconds stay below 2^53.
# KEYS: buckets, slots, the tally if there is one. ARGV: how many buckets, the lease's id, its microseconds, the tally's
# field, then interval and tolerance of each bucket, then the number of each slot.
_ADMIT = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local buckets, wait, arrivals, taken = tonumber(ARGV[1]), 0, {}, 0
local last = ARGV[4] == '' and #KEYS or #KEYS - 1
for i = 1, buckets do
  local arrival = math.max(tonumber(redis.call('GET', KEYS[i]) or '0') or 0, now)
  wait = math.max(wait, arrival - tonumber(ARGV[4 + 2 * i]) - now)
  arrivals[i] = arrival
end
if wait <= 0 then
  wait = 0
  for i = 1, buckets do
    local full = arrivals[i] + tonumber(ARGV[3 + 2 * i])
    redis.call('SET', KEYS[i], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000) + 1000)
    arrivals[i] = full
  end
  for i = buckets + 1, last do
    local number = tonumber(ARGV[4 + buckets + i])
    if redis.call('ZCARD', KEYS[i]) >= number then
      redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
      if redis.call('ZCARD', KEYS[i]) >= number then taken = i - buckets break end
    end
  end
  if taken == 0 then
    for i = buckets + 1, last do
      redis.call('ZADD', KEYS[i], string.format('%.0f', now + ARGV[3]), ARGV[2])
      redis.call('PEXPIRE', KEYS[i], math.ceil(ARGV[3] / 1000) + 1000)
    end
    if last < #KEYS then redis.call('HINCRBY', KEYS[#KEYS], ARGV[4] .. ':' .. math.floor(t[1] / 86400), 1) end
  end
end
local answer = {math.ceil(wait), taken}
for i, arrival in ipairs(arrivals) do answer[i + 2] = math.ceil(arrival - now) end
return answer
"""
_TAKE_TALLY = "local all = redis.call('HGETALL', KEYS[1]) redis.call('DEL', KEYS[1]) return all"
_PAUSE = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local until_ = now + tonumber(ARGV[1])
if until_ > (tonumber(redis.call('GET', KEYS[1]) or '0') or 0) then
  redis.call('SET', KEYS[1], string.format('%.0f', until_), 'PX', math.ceil((until_ - now) / 1000) + 1000)
end
return 0
"""


EPOCH = date(1970, 1, 1)


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


class Slots(NamedTuple):
    """A limit on what `key` names: so many at once."""

    key: str
    number: int


class Tally(NamedTuple):
    """Where admitted requests are counted: in a hash at `key`, by `what` and the day."""

    key: str
    what: str


class Admission(NamedTuple):
    """Seconds to wait, 0.0 if the buckets admit; of each, how many microseconds from now it will be full again.

    `lease` names the slots that are held, for `release`. `taken` are those of which none was free; then none is held.
    """

    wait: float
    full_in: Sequence[int]
    lease: str = ""
    taken: Slots | None = None


def admit(
    buckets: Sequence[Bucket],
    *,
    part: str,
    slots: Sequence[Slots] = (),
    lease_seconds: float = 60.0,
    tally: Tally | None = None,
    only_shared: bool = False,
) -> Admission:
    """Take one request out of every bucket, or out of none; then one of all slots, or none of them; then count it.

    `part` names the caller in the metric of Valkey's absence.

    Raises:
        SharedStateAway: Valkey is away, and with `only_shared` the count of this process alone is not good enough.
    """
    if not buckets and not slots:
        return Admission(0.0, ())
    lease = secrets.token_hex(8) if slots else ""
    arguments: list[int | str] = [len(buckets), lease, int(lease_seconds * 1e6), tally.what if tally else ""]
    for bucket in buckets:
        arguments += bucket.interval, bucket.tolerance
    arguments += [one.number for one in slots]
    keys = [*(bucket.key for bucket in buckets), *(one.key for one in slots), *([tally.key] if tally else [])]
    answer = shared_state().run(part, _ADMIT, keys=keys, args=arguments)
    if answer is not None:
        wait, taken, *full_in = answer
        held = lease if not wait and not taken else ""
        return Admission(wait / 1e6, full_in, held, slots[taken - 1] if taken else None)
    if only_shared:
        raise SharedStateAway
    return _local.admit(buckets, slots, lease)


def release(slots: Sequence[Slots], lease: str, *, part: str) -> None:
    """Give slots back; what Valkey does not hear of, it takes back itself when the lease runs out."""
    if not _local.release(slots, lease):
        shared_state().tell(part, *(("ZREM", one.key, lease) for one in slots))


def pause(bucket: Bucket, seconds: float, *, part: str) -> None:
    """Admit nobody to a bucket for some time."""
    microseconds = int(seconds * 1e6) + bucket.tolerance
    if shared_state().run(part, _PAUSE, keys=[bucket.key], args=[microseconds]) is None:
        _local.pause(bucket.key, microseconds)


def take_tally(key: str, *, part: str) -> dict[tuple[str, date], int]:
    """Return {(what, day): how many} since the last call, and begin anew; nothing while Valkey is away.

    Each request is in one answer at most: whoever loses it loses them.
    """
    answer: Sequence[bytes] = shared_state().run(part, _TAKE_TALLY, keys=[key], args=[]) or ()
    counts = {}
    for name, number in zip(answer[::2], answer[1::2], strict=True):
        what, _colon, day = name.decode().rpartition(":")
        counts[what, EPOCH + timedelta(days=int(day))] = int(number)
    return counts


class LocalBuckets:
    """The same arithmetic in this process. With n processes n times the limit may pass; better than none."""

    _FEW = 10_000

    def __init__(self) -> None:
        self._arrivals: dict[str, float] = {}
        self._held: dict[str, set[str]] = {}
        self._many = self._FEW
        self._lock = threading.Lock()

    def admit(self, buckets: Sequence[Bucket], slots: Sequence[Slots], lease: str) -> Admission:
        """See `admit`."""
        taken = None
        now = time.monotonic() * 1e6
        with self._lock:
            arrivals = [max(self._arrivals.get(bucket.key, 0.0), now) for bucket in buckets]
            pairs = list(zip(buckets, arrivals, strict=True))
            wait = max((arrival - bucket.tolerance - now for bucket, arrival in pairs), default=0.0)
            if wait <= 0:
                arrivals = [arrival + bucket.interval for bucket, arrival in pairs]
                self._arrivals |= {bucket.key: arrival for bucket, arrival in zip(buckets, arrivals, strict=True)}
                self._forget(now)
                taken = self._hold(slots, lease)
        held = "" if wait > 0 or taken else lease
        return Admission(max(wait, 0.0) / 1e6, [int(arrival - now) for arrival in arrivals], held, taken)

    def release(self, slots: Sequence[Slots], lease: str) -> bool:
        """Give back what this process has held by itself; return whether it had."""
        if not self._held:
            return False
        with self._lock:
            was_held = False
            for one in slots:
                holders = self._held.get(one.key, set())
                was_held |= lease in holders
                holders.discard(lease)
                if not holders:
                    self._held.pop(one.key, None)
        return was_held

    def _hold(self, slots: Sequence[Slots], lease: str) -> Slots | None:
        for one in slots:
            if len(self._held.get(one.key, ())) >= one.number:
                return one
        for one in slots:
            self._held.setdefault(one.key, set()).add(lease)
        return None

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
