"""What stands on a connection. Rooms above this one say it here: what still needs it, and what ends with it."""

from collections.abc import Callable
from datetime import datetime

from apps.core.actor import Actor
from apps.providers.models import Connection

Check = Callable[[Connection], None]
Ending = Callable[[Connection, Actor, datetime], None]

_checks: list[Check] = []
_endings: list[Ending] = []


def register_need(check: Check) -> None:
    """Have `check` asked before a connection is disabled: it raises ConnectionInUse while it is needed.

    It is called with the connection locked, in the transaction that would disable it. It locks whatever could come to
    need the connection meanwhile, so that of the two only one commits.
    """
    if check not in _checks:
        _checks.append(check)


def register_ending(ending: Ending) -> None:
    """Have `ending` called when a connection is disabled, with the connection locked and in the same transaction.

    It ends what is of no use without the connection. It comes before the checks, whose refusal takes it back.
    """
    if ending not in _endings:
        _endings.append(ending)


def end_dependents(connection: Connection, *, actor: Actor, now: datetime) -> None:
    """Have every room end what a locked connection takes along."""
    for ending in _endings:
        ending(connection, actor, now)


def require_unneeded(connection: Connection) -> None:
    """Ask every room whether it needs a locked connection.

    Raises:
        ConnectionInUse: one does.
    """
    for check in _checks:
        check(connection)
