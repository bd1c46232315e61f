"""One flight at a time: of all processes that want the same thing of a venue, one asks and the others wait for it.

The flights are keys in Valkey. Without Valkey everybody asks: slower, never wrong.
"""

import time
from collections.abc import Callable, Sequence
from uuid import uuid4

from apps.core.shared.state import shared_state

_PART = "flight"
# A flight whose process died is taken over after this time.
_LONGEST_FLIGHT_MS = 15_000
# What a flight found is the answer for whoever comes this soon after, also that the venue failed or knew nothing.
_LANDED_MS = 1_000
# Waiting longer than a caller would for its own call helps nobody.
_LONGEST_WAIT_SECONDS = 8.0
_POLL_SECONDS = 0.02
_LANDED, _FAILED = "landed", "failed"

_TAKE_OFF = """
local mine = {}
for i, key in ipairs(KEYS) do
  mine[i] = redis.call('SET', key, ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0
end
return mine
"""
_LAND = """
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('SET', key, ARGV[2], 'PX', ARGV[3]) end
end
return 1
"""
_LOOK = "return redis.call('MGET', unpack(KEYS))"


def fly(names: Sequence[str], ask: Callable[[Sequence[str]], None], *, by: str = "") -> None:
    """Call `ask` with those of the names that nobody is asking for; return when the others' flights have landed, too.

    `by` says with whose credentials `ask` asks. What failed with somebody else's may work with these: it is asked for
    once more, and of all who share them one does. Waits a bounded time for others. What `ask` raises is raised here,
    once its names are free again.
    """
    failed = _fly(names, ask, lane="", by=by)
    if failed:
        _fly(failed, ask, lane=by, by=by)


def _fly(names: Sequence[str], ask: Callable[[Sequence[str]], None], *, lane: str, by: str) -> list[str]:
    """Ask for what nobody in the lane is asking for and wait for the rest; return what failed with others' keys."""
    if not names:
        return []
    token = uuid4().hex
    taken = shared_state().run(_PART, _TAKE_OFF, keys=_keys(lane, names), args=[token, _LONGEST_FLIGHT_MS])
    mine = [name for name, is_mine in zip(names, taken or [1] * len(names), strict=True) if is_mine]
    if mine:
        end = f"{_FAILED} {by}"
        try:
            ask(mine)
            end = _LANDED
        finally:
            shared_state().run(_PART, _LAND, keys=_keys(lane, mine), args=[token, end, _LANDED_MS])
    return _wait(sorted(set(names) - set(mine)), lane=lane, by=by)


def _wait(names: Sequence[str], *, lane: str, by: str) -> list[str]:
    ends_at = time.monotonic() + _LONGEST_WAIT_SECONDS
    while names and time.monotonic() < ends_at:
        found = shared_state().run(_PART, _LOOK, keys=_keys(lane, names), args=[])
        ends = [(value or b"").decode() for value in found or [None] * len(names)]
        if all(end in ("", _LANDED) or end.startswith(_FAILED) for end in ends):
            return [name for name, end in zip(names, ends, strict=True) if end not in ("", _LANDED, f"{_FAILED} {by}")]
        time.sleep(_POLL_SECONDS)
    return []


def _keys(lane: str, names: Sequence[str]) -> list[str]:
    return [f"finops:flight:{lane}:{name}" for name in names]
