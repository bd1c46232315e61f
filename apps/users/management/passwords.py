"""How operators' commands take a password: from the terminal or a pipe, never from the command line."""

from getpass import getpass
from typing import TextIO

from django.core.management.base import CommandError


def read_password(stdin: TextIO) -> str:
    """Return what is typed twice at a terminal, or the first line of a pipe.

    A command line would not do: other users of the machine can read it.

    Raises:
        CommandError: the two are not the same.
    """
    if not stdin.isatty():
        return stdin.readline().rstrip("\n")
    password = getpass("New password: ")
    if getpass("Once more: ") != password:
        raise CommandError("The two are not the same: nothing has changed.")
    return password
