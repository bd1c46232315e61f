"""Ports on the loopback interface."""

from __future__ import annotations

import random
import socket

from finops.embedded.errors import PortInUse

HOST = "127.0.0.1"
# Below the kernel's range for outgoing connections, which could take a port while its engine is down.
LOWEST, HIGHEST = 20_000, 32_000


def is_free(port: int) -> bool:
    """Return whether nobody listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def choose(preferred: int | None = None) -> int:
    """Return the preferred port when it is free, else a random free one.

    Raises: PortInUse when a hundred tries found none.
    """
    if preferred is not None and is_free(preferred):
        return preferred
    for _ in range(100):
        port = random.randint(LOWEST, HIGHEST)  # noqa: S311  (spread, not secrecy)
        if is_free(port):
            return port
    raise PortInUse(f"No free port between {LOWEST} and {HIGHEST} on {HOST}: end what occupies them.")


def require_free(port: int, *, setting: str) -> None:
    """Raise PortInUse, naming the setting that moves us elsewhere, when the port is taken."""
    if not is_free(port):
        raise PortInUse(f"Port {port} is in use on {HOST}: end the process that holds it, or set {setting} to another.")
