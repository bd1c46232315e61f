"""Turns that processes take at the same thing, in Valkey. Without Valkey everybody has one: more work, never wrong."""

from apps.providers.transport.shared import shared_state

_TAKE = "return redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1]) and 1 or 0"
_END = "return redis.call('DEL', KEYS[1])"


def take_turn(name: str, *, seconds: float) -> bool:
    """Take the turn at `name`, unless somebody has; it ends by itself after `seconds`."""
    taken = shared_state().run("turn", _TAKE, keys=[f"finops:turn:{name}"], args=[int(seconds * 1000)])
    return bool(taken != 0)


def end_turn(name: str) -> None:
    """Let others have the turn."""
    shared_state().run("turn", _END, keys=[f"finops:turn:{name}"], args=[])
