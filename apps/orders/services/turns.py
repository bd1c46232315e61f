"""Turns that processes take at the same thing, in Valkey. Without Valkey everybody has one: more work, never wrong."""

from uuid import UUID

from apps.core.shared.state import shared_state

_TAKE = "return redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1]) and 1 or 0"
_KEEP = "return redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])"
_LOOK = "return redis.call('EXISTS', KEYS[1])"
_END = "return redis.call('DEL', KEYS[1])"


def take_turn(name: str, *, seconds: float) -> bool:
    """Take the turn at `name`, unless somebody has; it ends by itself after `seconds`."""
    taken = shared_state().run("turn", _TAKE, keys=[f"finops:turn:{name}"], args=[int(seconds * 1000)])
    return bool(taken != 0)


def keep_turn(name: str, *, seconds: float) -> None:
    """Have the turn for another while, whoever had it."""
    shared_state().run("turn", _KEEP, keys=[f"finops:turn:{name}"], args=[int(seconds * 1000)])


def is_taken(name: str) -> bool:
    """Tell whether somebody has the turn, as far as is known."""
    return bool(shared_state().run("turn", _LOOK, keys=[f"finops:turn:{name}"], args=[]))


def end_turn(name: str) -> None:
    """Let others have the turn."""
    shared_state().run("turn", _END, keys=[f"finops:turn:{name}"], args=[])


def stream_turn(connection_id: UUID) -> str:
    """Return the name of the turn that whoever listens to a connection's stream keeps."""
    return f"stream:{connection_id}"
