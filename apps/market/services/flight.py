"""One flight at a time: of all processes that want the same thing of a venue, one asks and the others wait for it.

The flights are keys in Valkey. Without Valkey everybody asks: slower, never wrong.
"""

import time
from collections.abc import Callable, Sequence
from uuid import uuid4

from apps.providers.transport.shared import shared_state

_PART = "flight"
# A flight whose process died is taken over after this time.
_LONGEST_FLIGHT_MS = 15_000
# What a flight found is the answer for whoever comes this soon after, also that the venue failed or knew nothing.
_LANDED_MS = 1_000
# Waiting longer than a caller would for its own call helps nobody.
_LONGEST_WAIT_SECONDS = 8.0
_POLL_SECONDS = 0.02

_TAKE_OFF = """
local mine = {}
for i, key in ipairs(KEYS) do
  mine[i] = redis.call('SET', key, ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
end
return mine
"""
_LAND = """
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('SET', key, 'landed', 'PX', ARGV[2]) end
end
return 1
"""
_COUNT_FLYING = """
local flying = 0
for _, key in ipairs(KEYS) do
  local flight = redis.call('GET', key)
  if flight and flight ~= 'landed' then flying = flying + 1 end
end
return flying
"""


def fly(names: Sequence[str], ask: Callable[[Sequence[str]], None]) -> None:
    """Call `ask` with those of the names that nobody is asking for; return when the others' flights have landed, too.

    Waits a bounded time for others. What `ask` raises is raised here, once its names are free again.
    """
    if not names:
        return
    token = uuid4().hex
    taken = shared_state().run(_PART, _TAKE_OFF, keys=_keys(names), args=[token, _LONGEST_FLIGHT_MS])
    mine = [name for name, is_mine in zip(names, taken or [1] * len(names), strict=True) if is_mine]
    if mine:
        try:
            ask(mine)
        finally:
            shared_state().run(_PART, _LAND, keys=_keys(mine), args=[token, _LANDED_MS])
    _wait(sorted(set(names) - set(mine)))


def _wait(names: Sequence[str]) -> None:
    ends_at = time.monotonic() + _LONGEST_WAIT_SECONDS
    while names and time.monotonic() < ends_at:
        if not shared_state().run(_PART, _COUNT_FLYING, keys=_keys(names), args=[]):
            return
        time.sleep(_POLL_SECONDS)


def _keys(names: Sequence[str]) -> list[str]:
    return [f"finops:flight:{name}" for name in names]
