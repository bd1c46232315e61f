"""Stops calling what keeps failing. Shared through Valkey, so that every worker stops at once.

Closed: calls go through; failures in a row are counted. Open: calls are refused at once. Half-open: after the
wait one call goes through as a probe; it closes the breaker or opens it for twice as long. Without Valkey the
breaker lets everything through: the time-outs and the job's backoff still hold.
"""

from dataclasses import dataclass

from apps.core.shared.state import shared_state
from apps.providers.enums import BreakerState

_NOW = "local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
_ADMIT = (
    _NOW
    + """
local state = redis.call('HMGET', KEYS[1], 'open_until', 'probe_until')
if not state[1] then return 0 end
local until_ = math.max(tonumber(state[1]), tonumber(state[2] or '0'))
if now < until_ then return until_ - now end
redis.call('HSET', KEYS[1], 'probe_until', string.format('%.0f', now + tonumber(ARGV[1])))
return 0
"""
)
_FAIL = (
    _NOW
    + """
local open_until = tonumber(redis.call('HGET', KEYS[1], 'open_until') or '0')
if now < open_until then return 0 end
local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if open_until == 0 and failures < tonumber(ARGV[1]) then return 0 end
local trips = redis.call('HINCRBY', KEYS[1], 'trips', 1)
local wait = math.min(tonumber(ARGV[3]), tonumber(ARGV[2]) * 2 ^ (trips - 1))
redis.call('HSET', KEYS[1], 'open_until', string.format('%.0f', now + wait), 'failures', 0)
redis.call('HDEL', KEYS[1], 'probe_until')
return 1
"""
)
_SUCCEED = "return redis.call('DEL', KEYS[1])"
_LOOK = (
    _NOW
    + """
local open_until = tonumber(redis.call('HGET', KEYS[1], 'open_until') or '0')
if open_until == 0 then return -1 end
return math.max(0, open_until - now)
"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When a breaker opens and for how long; a probe that never reports back blocks others for `probe_seconds`."""

    failures: int = 5
    open_seconds: float = 5.0
    longest_open_seconds: float = 60.0
    probe_seconds: float = 65.0


class Breaker:
    """One breaker; `scope` is "provider" or names a connection."""

    def __init__(self, provider: str, scope: str, policy: BreakerPolicy) -> None:
        self._key = f"finops:breaker:{provider}:{scope}"
        self._policy = policy

    def admit(self) -> float:
        """Return 0.0 when a call may go through (as the probe, perhaps), else the seconds until one may."""
        wait = shared_state().run("breaker", _ADMIT, keys=[self._key], args=[int(self._policy.probe_seconds * 1000)])
        return float(wait or 0) / 1000

    def succeed(self) -> None:
        """Close the breaker: the other side has answered."""
        shared_state().run("breaker", _SUCCEED, keys=[self._key], args=[])

    def fail(self) -> bool:
        """Count a failure; tell whether it opened the breaker."""
        policy = self._policy
        milliseconds = [int(policy.open_seconds * 1000), int(policy.longest_open_seconds * 1000)]
        # Forgotten after twice the longest wait without a failure.
        arguments = [policy.failures, *milliseconds, milliseconds[1] * 2]
        return bool(shared_state().run("breaker", _FAIL, keys=[self._key], args=arguments))

    def look(self) -> tuple[BreakerState, float] | None:
        """Return the state and the seconds until the next call may go through; None when Valkey is away."""
        wait = shared_state().run("breaker", _LOOK, keys=[self._key], args=[])
        if wait is None:
            return None
        if wait < 0:
            return BreakerState.CLOSED, 0.0
        return (BreakerState.OPEN if wait else BreakerState.HALF_OPEN), float(wait) / 1000


def line_name(provider: str, host: str = "") -> str:
    """Return what a provider's host is called in limiter, breaker and metrics."""
    return f"{provider}.{host}" if host else provider


def provider_breaker(provider: str, policy: BreakerPolicy | None = None) -> Breaker:
    """Return the breaker of the whole provider."""
    return Breaker(provider, "provider", policy or BreakerPolicy())


def connection_breaker(provider: str, connection_key: str, policy: BreakerPolicy | None = None) -> Breaker:
    """Return the breaker of one connection: one bank behind the provider may be away alone."""
    return Breaker(provider, f"connection:{connection_key}", policy or BreakerPolicy())
