"""The one way out to addresses that tenants name: their URLs are checked, and so is every socket opened for them.

A URL is parsed once, by the parser that the client uses. Its host is resolved when a socket is made, and the socket
goes to one of the addresses that were checked: a name that answers differently a moment later (DNS rebinding) gains
nothing. Redirects are never followed and proxies of the environment never used, since both lead elsewhere.
"""

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Iterable
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from yarl import URL

from apps.core.names import NameNotResolved, look_up, open_resolver

Address = IPv4Address | IPv6Address

LONGEST_URL = 2000
# How long people wait to be told early where a name leads, and how many in one process: names that hang must not take
# the threads that serve everybody.
EARLY_SECONDS, EARLY_AT_ONCE = 3.0, 4
# A name whose servers take longer is that attempt's failure.
LOOK_UP_SECONDS = 5.0
# Within these, the requests to one host share one look-up. Every socket's address is checked all the same.
NAME_KEPT_SECONDS = 5
# Shorter than the 5 seconds after which the impatient among servers close what is idle: a request would meet its end.
KEPT_ALIVE_SECONDS = 4.0
# What is taken of one answer, with all that comes before and around its body: one without an end, such as of interim
# answers (RFC 9110 15.2) or of a chunk's extensions, would keep its whole process busy until its time is up.
MOST_BYTES = 1024 * 1024
# HTTPS, and what needs no privileges to listen on: nobody is probed for mail or file servers through us.
_HTTPS_PORT, _FIRST_OPEN_PORT = 443, 1024
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# Also an empty one, which the parser drops.
_USER = re.compile(r"[^/]*//[^/?#]*@")
_IN_BRACKETS = re.compile(r"[^/]*//[^/?#]*\[")
# "0x7f.1", "2130706433" and "017700000001" are numbers to some resolvers (WHATWG URL, "ends in a number").
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

_STATUS_LINE, _STATUS_LINE_BYTES = re.compile(rb"HTTP/1\.[01] ([2-5][0-9]{2})[ \r\n]"), 16
_LOOPBACK_4, _LOOPBACK_6 = ip_network("127.0.0.0/8"), ip_network("::1/128")

_early = threading.BoundedSemaphore(EARLY_AT_ONCE)

# What `is_global` lets pass, or did in some Python that we run on. IANA's special-purpose registries, and:
_REFUSED_NETWORKS = [
    ip_network(network)
    for network in (
        "100.64.0.0/10",  # shared address space; 100.100.100.200 is Alibaba's metadata
        "168.63.129.16/32",  # Azure's host agent, which answers with credentials
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "64:ff9b::/96",  # IPv4 inside IPv6: NAT64,
        "64:ff9b:1::/48",
        "2001::/23",  # Teredo and its kin,
        "2002::/16",  # 6to4
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
    )
]
_GLOBAL_UNICAST = ip_network("2000::/3")


class EgressRefused(Exception):
    """An address that the platform does not go to on behalf of a tenant; `message` is for people."""

    def __init__(self, message: str | Promise) -> None:
        self.message = message
        super().__init__(str(message))


def check_url(text: str) -> URL:
    """Return the URL, parsed as it will be used, if it is one that may be fetched; nothing is resolved.

    Raises:
        EgressRefused: see the message.
    """
    if not text.isascii() or any(character <= " " or character in "\\\x7f" for character in text):
        raise EgressRefused(_("A URL has neither blanks, backslashes nor characters beyond ASCII."))
    if len(text) > LONGEST_URL:
        raise EgressRefused(_("The URL is too long."))
    try:
        url = URL(text)
        host, port = url.raw_host, url.port
    except ValueError as error:
        raise EgressRefused(_("This is not a URL.")) from error
    if not host or url.scheme not in ("https", "http"):
        raise EgressRefused(_("The URL must begin with https:// and name a host."))
    if url.user is not None or url.password is not None or _USER.match(text):
        raise EgressRefused(_("The URL must not carry a user name or password."))
    if "#" in text:
        raise EgressRefused(_("The URL must not have a fragment."))
    if "%" in host or (_IN_BRACKETS.match(text) and ":" not in host):
        # Zones (RFC 6874) mean something on one machine alone, and addresses of the future (RFC 3986) nothing yet.
        raise EgressRefused(_("In brackets stands an IPv6 address, without a zone."))
    is_here = _check_host(host)
    if is_here:
        return url
    if url.scheme != "https":
        raise EgressRefused(_("The URL must begin with https://."))
    if port is None or (port != _HTTPS_PORT and port < _FIRST_OPEN_PORT):
        raise EgressRefused(_("The port must be 443, or 1024 and above."))
    return url


def check_resolution(url: URL, *, seconds: float = EARLY_SECONDS) -> None:
    """Resolve a checked URL's host and look at what comes; a name that does not resolve now may do so later.

    For telling people early: it proves nothing about the next look-up, and is left out while others wait for theirs.
    Takes no longer than `seconds`, so call it outside of any transaction, and of any event loop.

    Raises:
        EgressRefused: the name leads to an address that is refused.
    """
    host = url.raw_host or ""
    if _address_of(host) is not None or not _early.acquire(blocking=False):
        return
    try:
        found = asyncio.run(look_up(host, open_resolver(seconds=seconds)))
    except NameNotResolved:
        return
    finally:
        _early.release()
    check_addresses(found)


def check_addresses(addresses: Iterable[str]) -> None:
    """Refuse a host if any of its addresses is one that we do not go to: a mixed answer is a trap.

    Raises:
        EgressRefused: see above.
    """
    for text in addresses:
        if not is_allowed(ip_address(text)):
            raise EgressRefused(_("The host leads to an address that is not public."))


def is_allowed(address: Address) -> bool:
    """Tell whether an address is public, or loopback where the settings allow that."""
    if settings.EGRESS_ALLOW_LOOPBACK and address in (_LOOPBACK_4 if address.version == 4 else _LOOPBACK_6):
        return True
    if any(address in network for network in _REFUSED_NETWORKS if network.version == address.version):
        return False
    if address.is_multicast or address.is_reserved or not address.is_global:
        return False
    return address.version == 4 or address in _GLOBAL_UNICAST


def open_session(
    *, total_seconds: float, user_agent: str, look_up_seconds: float = LOOK_UP_SECONDS
) -> aiohttp.ClientSession:
    """Return a client whose every socket is checked; requests through it must not follow redirects.

    Its answers are not decompressed, its cookies not kept, and it knows no proxy. The ClientResponseError of an answer
    that cannot be read on has the status that its first line gave, or 0. Call it inside an event loop.
    """
    connector = aiohttp.TCPConnector(
        limit=0,
        ttl_dns_cache=NAME_KEPT_SECONDS,
        resolver=_CheckedResolver(look_up_seconds),
        socket_factory=_open_socket,
        keepalive_timeout=KEPT_ALIVE_SECONDS,
    )
    # aiohttp has no other place for it; a test sees to it that it is still this one.
    listen: Callable[[asyncio.AbstractEventLoop], ResponseHandler] = _Listener
    connector._factory = partial(listen, asyncio.get_running_loop())
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=total_seconds, ceil_threshold=total_seconds),
        headers={"User-Agent": user_agent, "Accept-Encoding": "identity"},
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )


def _check_host(host: str) -> bool:
    """Check a URL's host by its looks; tell whether it is this machine, where that is allowed."""
    address = _address_of(host)
    if address is None:
        return _check_name(host)
    if not is_allowed(address):
        raise EgressRefused(_("The URL leads to an address that is not public."))
    return address.is_loopback


def _address_of(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _check_name(host: str) -> bool:
    if host == "localhost" and settings.EGRESS_ALLOW_LOOPBACK:
        return True
    labels = host.lower().split(".")
    if len(labels) < 2 or len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise EgressRefused(_("The host must be a full domain name."))
    if _NUMBER.fullmatch(labels[-1]):
        raise EgressRefused(_("The host must be a domain name, or an address in its usual notation."))
    return False


class _CheckedResolver(AbstractResolver):
    """Hands on nothing but addresses that may be gone to."""

    def __init__(self, seconds: float) -> None:
        self._resolver = open_resolver(seconds=seconds)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await look_up(host, self._resolver)
        check_addresses(found)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        """There is nothing to close: each question has a socket of its own."""


class _Listener(ResponseHandler):
    """Hangs up on an answer without an end, and remembers each one's first line.

    The parser forgets what it has read when it cannot read on.
    """

    _began = b""
    _received = 0

    def set_response_params(self, **parameters: Any) -> None:
        self._began, self._received = b"", 0
        super().set_response_params(**parameters)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > MOST_BYTES and self.transport is not None:
            self.transport.abort()
            return
        if len(self._began) < _STATUS_LINE_BYTES:
            self._began += data[:_STATUS_LINE_BYTES]
        super().data_received(data)

    def set_exception(self, exc: BaseException, *cause: Any, **named: Any) -> None:
        if isinstance(exc, HttpProcessingError):
            found = _STATUS_LINE.match(self._began)
            exc.code = int(found[1]) if found else 0
        super().set_exception(exc, *cause, **named)


def _open_socket(info: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
    """Make the socket for an address, once more checked: whatever a URL looked like, this is where it leads."""
    family, kind, protocol, _name, sockaddr = info
    check_addresses([sockaddr[0]])
    return socket.socket(family, kind, protocol)
