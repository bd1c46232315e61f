"""What still needs a connection. Rooms that stand above this one say it here; what is needed is not disabled."""

from collections.abc import Callable

from apps.providers.models import Connection

Check = Callable[[Connection], None]

_checks: list[Check] = []


def register_need(check: Check) -> None:
    """Have `check` asked before a connection is disabled: it raises ConnectionInUse while it is needed.

    It is called with the connection locked, in the transaction that would disable it. It locks whatever could come to
    need the connection meanwhile, so that of the two only one commits.
    """
    if check not in _checks:
        _checks.append(check)


def require_unneeded(connection: Connection) -> None:
    """Ask every room whether it needs a locked connection.

    Raises:
        ConnectionInUse: one does.
    """
    for check in _checks:
        check(connection)
