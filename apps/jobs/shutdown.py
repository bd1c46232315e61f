"""Tells the worker's child processes to lease no more, once the worker has been asked to stop."""

import mmap

# One byte of memory that forked children share. Written from signal handlers, hence without a lock: a handler
# that waits for a lock which the interrupted code holds would wait for ever.
_page = mmap.mmap(-1, 1)


def begin() -> None:
    """Ask this process and those forked from it to finish what they run and lease nothing more."""
    _page[0] = 1


def has_begun() -> bool:
    """Tell whether the worker is stopping."""
    return _page[0] == 1
