"""Which function handles which kind of job. Rooms register theirs in `tasks.py`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from apps.jobs.types import JobKind, Lease

Handler = Callable[[Lease], None]
DeathHook = Callable[[Lease, Exception], None]


@dataclass(frozen=True, slots=True)
class Registration:
    """A kind, its handler, and what to do when a job of that kind dies."""

    kind: JobKind
    handler: Handler
    on_dead: DeathHook | None


_registrations: dict[str, Registration] = {}
_death_hooks: list[DeathHook] = []


def handles(kind: JobKind, *, on_dead: DeathHook | None = None) -> Callable[[Handler], Handler]:
    """Register the decorated function as the handler of a kind.

    `on_dead` runs in the transaction that marks the job dead, in a savepoint of its own that is a
    `write_scope(lease.actor)`, open even while writing is switched off: it may call services and must do no I/O.
    The job is dead even if it fails.
    """

    def register(handler: Handler) -> Handler:
        known = _registrations.get(kind.name)
        if known and known.handler.__qualname__ != handler.__qualname__:
            raise TypeError(f"job kind {kind.name!r} is already handled by {known.handler.__qualname__}")
        _registrations[kind.name] = Registration(kind, handler, on_dead)
        return handler

    return register


def on_every_death(hook: DeathHook) -> None:
    """Call `hook` for each job that dies, after its kind's own `on_dead` and under the same rules."""
    if hook not in _death_hooks:
        _death_hooks.append(hook)


def registration(kind: str) -> Registration:
    """Return what is registered for a kind.

    Raises:
        KeyError: nothing is; a worker never leases such a job.
    """
    return _registrations[kind]


def death_hooks(kind: str) -> list[DeathHook]:
    """Return what to call when a job of this kind dies, in order."""
    known = _registrations.get(kind)
    own = [known.on_dead] if known and known.on_dead else []
    return [*own, *_death_hooks]


def kinds_on(queue: str) -> list[str]:
    """Return the kinds that this process can run from a queue."""
    return sorted(name for name, known in _registrations.items() if known.kind.queue == queue)


def queues() -> list[str]:
    """Return the queues that this process has handlers for."""
    return sorted({known.kind.queue for known in _registrations.values()})


@contextmanager
def temporarily() -> Iterator[None]:
    """Forget, when the block ends, what was registered inside it: for tests that bring their own kinds."""
    kinds, hooks = dict(_registrations), list(_death_hooks)
    try:
        yield
    finally:
        _registrations.clear()
        _registrations.update(kinds)
        _death_hooks[:] = hooks
