"""No HTTP inside a transaction: it would hold locks and a connection for as long as a stranger likes."""

from django.db import connection


class CallInsideTransaction(RuntimeError):
    """A programming error: split the work into service, adapter, service."""


def assert_no_transaction() -> None:
    """Raise when a transaction is open; the one that a test case wraps around itself does not count.

    Raises:
        CallInsideTransaction: see the class.
    """
    # Django marks a test case's own block the same way, for durable=True.
    if any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
        raise CallInsideTransaction("another system is called inside a transaction")
