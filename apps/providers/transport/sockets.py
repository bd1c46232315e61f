"""Connections to a provider's host: a client's own, or kept open beyond it, one a thread and host.

A TLS handshake takes several journeys to the host, and an order should not wait for them. Whoever uses a kept
connection brings its credentials with each request; nothing of theirs stays behind, cookies least of all.
"""

import os
import ssl
import threading
import weakref
from collections import OrderedDict
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import NamedTuple

import httpx

from apps.providers.transport.deadline import SocketWatch

MOST_KEPT = 16
# Well below what load balancers wait (60 s): an order that meets a connection being closed has an unknown outcome.
IDLE_SECONDS = 20.0


class Address(NamedTuple):
    """Where to connect, with which client certificate ("" for none), and whether by the environment's proxies."""

    base_url: str
    certificate: str
    private_key: str
    trusts_environment: bool


class Sockets:
    """The connection to one address, made when it is needed and again when it was lost."""

    def __init__(self, address: Address) -> None:
        self.watch = SocketWatch()
        self.http = httpx.Client(
            base_url=address.base_url,
            headers={"Accept": "application/json", "User-Agent": "finops"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            verify=_ssl_context(address.certificate, address.private_key),
            follow_redirects=False,
            trust_env=address.trusts_environment,
            # One, so that the watch knows it.
            limits=httpx.Limits(max_connections=1, keepalive_expiry=IDLE_SECONDS),
        )
        # A thread that ends takes what it kept with it.
        weakref.finalize(self, self.http.close)

    def close(self) -> None:
        """Close the connection."""
        self.http.close()


_thread = threading.local()


def kept_sockets(address: Address) -> Sockets:
    """Return this thread's connection to an address, which nobody else uses."""
    kept: OrderedDict[tuple[int, Address], Sockets] = _thread.__dict__.setdefault("kept", OrderedDict())
    key = (os.getpid(), address)  # a forked process must not speak through its parent's sockets
    if key not in kept:
        kept[key] = Sockets(address)
    kept.move_to_end(key)
    while len(kept) > MOST_KEPT:
        kept.popitem(last=False)[1].close()
    return kept[key]


@lru_cache(maxsize=4)
def _ssl_context(certificate: str, private_key: str) -> ssl.SSLContext:
    """Return a verifying context, with a client certificate where one is given; making one costs 20 ms."""
    context = ssl.create_default_context()
    if certificate:
        context.load_cert_chain(certificate, private_key or None)
    return context
