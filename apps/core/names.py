"""What names lead to, asked of the name servers directly: bounded in time, and not a thread for each question.

`getaddrinfo` cannot be given up: names whose servers hang would fill any pool of threads, and keep the others from
resolving. The hosts file and search domains are not looked at: what tenants name is what the public DNS says.
"""

import asyncio
from contextlib import suppress

from django.conf import settings
from dns.asyncresolver import Resolver
from dns.exception import DNSException
from dns.nameserver import Do53Nameserver
from dns.resolver import NoResolverConfiguration

SYSTEM = "/etc/resolv.conf"


class NameNotResolved(OSError):
    """A name has no address, or its servers did not say so in time; that may be different a moment later."""


def open_resolver(*, seconds: float, system: str = SYSTEM) -> Resolver:
    """Return a resolver that asks the name servers of the settings, or the system's, for at most so many seconds."""
    resolver = Resolver(configure=False)
    if settings.EGRESS_NAME_SERVERS is not None:
        resolver.nameservers = [Do53Nameserver(address, port) for address, port in settings.EGRESS_NAME_SERVERS]
    else:
        # A machine without name servers resolves nothing; that is no reason to stop what sends to addresses.
        with suppress(NoResolverConfiguration):
            resolver.read_resolv_conf(system)
    resolver.lifetime = seconds
    return resolver


async def look_up(host: str, resolver: Resolver) -> list[str]:
    """Return the IPv4 and the IPv6 addresses of a full domain name.

    Raises:
        NameNotResolved: see the class.
    """
    if host == "localhost":  # RFC 6761 6.3: it is not asked for
        return ["127.0.0.1"]
    found = await asyncio.gather(_ask(host, "A", resolver), _ask(host, "AAAA", resolver))
    addresses = [address for some in found for address in some]
    if not addresses:
        raise NameNotResolved(host)
    return addresses


async def _ask(host: str, kind: str, resolver: Resolver) -> list[str]:
    try:
        answer = await resolver.resolve(f"{host}.", kind, raise_on_no_answer=False)
    except DNSException:
        return []
    return [record.to_text() for record in answer.rrset or ()]
