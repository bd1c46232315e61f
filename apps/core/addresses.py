"""Which addresses count as one, where attempts and requests are counted by address."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address

_HOST_BITS = 64


@lru_cache(maxsize=1024)
def place_of(address: str) -> str:
    """Return an IPv4 address as it is, and for an IPv6 address the first one of its network of 64 bits.

    A subscriber has such a network, or more, to choose addresses from (RFC 6177; RFC 7421): counted one by one, they
    would bring as many tries as anybody likes.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:  # an IPv4 peer at a dual-stack socket
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> _HOST_BITS << _HOST_BITS))
