"""Where tenants' URLs may lead: by their looks, by what their names resolve to, and at the socket."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address

import pytest
from aiohttp import ClientError, ClientSession, web
from yarl import URL

from apps.core import egress
from apps.core.egress import EgressRefused, check_resolution, check_url, is_allowed, open_session
from apps.core.names import NameNotResolved, look_up, open_resolver
from tests.name_server import NameServer

pytestmark = pytest.mark.no_database

GOOD = [
    "https://hooks.example.com/finops",
    "https://hooks.example.com:8443/a/b?c=d&e=%20f",
    "https://HOOKS.Example.COM",
    "https://xn--bcher-kva.example/hook",
    "https://93.184.215.14/hook",
    "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/hook",
    "https://8.8.8.8.example.com/",
    "https://1password.example/",
    "https://under_score.example.com/",
]
BAD = {
    "plain http": "http://hooks.example.com/",
    "another scheme": "ftp://hooks.example.com/",
    "a file": "file:///etc/passwd",
    "a gopher": "gopher://hooks.example.com:70/",
    "no scheme": "hooks.example.com/finops",
    "a relative path": "/finops",
    "nothing": "",
    "no host": "https:///finops",
    "a user name": "https://acme@hooks.example.com/",
    "a password": "https://acme:secret@hooks.example.com/",
    "an empty user name": "https://@hooks.example.com/",
    "a host behind the user": "https://hooks.example.com@127.0.0.1/",
    "a fragment": "https://hooks.example.com/#top",
    "an empty fragment": "https://hooks.example.com/#",
    "a blank": "https://hooks.example.com/a b",
    "a line break": "https://hooks.example.com/\r\nHost: else",
    "a tabulator": "https://hooks\t.example.com/",
    "a backslash": "https://hooks.example.com\\@127.0.0.1/",
    "beyond ASCII": "https://bücher.example/",
    "full-width digits": "https://１２７.０.０.１/",
    "a port for mail": "https://hooks.example.com:25/",
    "a port for shells": "https://hooks.example.com:22/",
    "port 80": "https://hooks.example.com:80/",
    "port zero": "https://hooks.example.com:0/",
    "a port out of range": "https://hooks.example.com:65536/",
    "two ports": "https://hooks.example.com:443:444/",
    "one label": "https://intranet/",
    "this machine by name": "https://localhost/",
    "a dot at the end": "https://hooks.example.com./",
    "an empty label": "https://hooks..example.com/",
    "too long": "https://hooks.example.com/" + "a" * 2000,
    "loopback": "https://127.0.0.1/",
    "loopback elsewhere": "https://127.200.3.4/",
    "loopback, decimal": "https://2130706433/",
    "loopback, hexadecimal": "https://0x7f000001/",
    "loopback, hexadecimal parts": "https://0x7f.0.0.0x1/",
    "loopback, octal": "https://017700000001/",
    "loopback, octal parts": "https://0177.0.0.1/",
    "loopback, two parts": "https://127.1/",
    "loopback, leading zeros": "https://127.000.000.001/",
    "loopback, percent-encoded": "https://%31%32%37.0.0.1/",
    "a name that ends in a number": "https://example.0x1/",
    "no address": "https://0.0.0.0/",
    "this network": "https://0.1.2.3/",
    "private 10": "https://10.0.0.1/",
    "private 172.16": "https://172.16.0.1/",
    "private 192.168": "https://192.168.1.1/",
    "metadata": "https://169.254.169.254/latest/meta-data/",
    "metadata of Alibaba": "https://100.100.100.200/",
    "the host agent of Azure": "https://168.63.129.16/",
    "carrier-grade NAT": "https://100.64.0.1/",
    "benchmarking": "https://198.18.0.1/",
    "documentation": "https://192.0.2.1/",
    "multicast": "https://224.0.0.1/",
    "reserved": "https://240.0.0.1/",
    "broadcast": "https://255.255.255.255/",
    "IPv6 loopback": "https://[::1]/",
    "IPv6 unspecified": "https://[::]/",
    "IPv6 link-local": "https://[fe80::1]/",
    "IPv6 link-local with a zone": "https://[fe80::1%25eth0]/",
    "IPv6 link-local with a bare zone": "https://[fe80::1%eth0]/",
    "public IPv6 with a zone": "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c%25eth0]/",
    "IPv6 loopback with a zone": "http://[::1%25lo]:9/",
    "an address of the future": "https://[v1.x]/",
    "an address of the future that looks like a name": "https://[v1.example.com]:8443/",
    "an address of the future with colons": "https://[vF.::1]/",
    "IPv4 in brackets": "https://[93.184.215.14]/",
    "brackets within": "https://a[::1]/",
    "an unclosed bracket": "https://[::1/",
    "IPv6 unique local": "https://[fd00:ec2::254]/",
    "IPv6 multicast": "https://[ff02::1]/",
    "IPv6 documentation": "https://[2001:db8::1]/",
    "IPv4 mapped into IPv6": "https://[::ffff:127.0.0.1]/",
    "public IPv4 mapped into IPv6": "https://[::ffff:8.8.8.8]/",
    "IPv4 compatible IPv6": "https://[::127.0.0.1]/",
    "NAT64": "https://[64:ff9b::7f00:1]/",
    "local NAT64": "https://[64:ff9b:1::7f00:1]/",
    "6to4": "https://[2002:7f00:1::]/",
    "Teredo": "https://[2001::7f00:1]/",
    "site-local": "https://[fec0::1]/",
}


@pytest.fixture
def production(settings) -> None:
    settings.EGRESS_ALLOW_LOOPBACK = False


@pytest.mark.parametrize("url", GOOD)
def test_a_public_url_is_accepted(url: str, production: None) -> None:
    assert str(check_url(url).raw_host) in url.lower()


@pytest.mark.parametrize("url", BAD.values(), ids=BAD)
def test_what_leads_elsewhere_is_refused(url: str, production: None) -> None:
    with pytest.raises(EgressRefused):
        check_url(url)


LOCAL = ["http://127.0.0.1:9/hook", "https://127.0.0.1/", "http://localhost:8080/", "http://[::1]:9/"]


@pytest.mark.parametrize("url", LOCAL)
def test_this_machine_is_reached_only_where_the_settings_allow_it(url: str, settings) -> None:
    assert check_url(url) == URL(url)
    settings.EGRESS_ALLOW_LOOPBACK = False
    with pytest.raises(EgressRefused):
        check_url(url)


def test_allowing_loopback_allows_nothing_else(settings) -> None:
    still_refused = set(BAD) - {"this machine by name", "loopback", "loopback elsewhere", "IPv6 loopback"}
    for name in still_refused:
        with pytest.raises(EgressRefused):
            check_url(BAD[name])


def test_addresses_at_the_edges_of_what_is_refused(production: None) -> None:
    edges = {
        "9.255.255.255": True,
        "10.0.0.0": False,
        "11.0.0.0": True,
        "100.63.255.255": True,
        "100.128.0.0": True,
        "168.63.129.15": True,
        "172.15.255.255": True,
        "172.32.0.0": True,
        "223.255.255.255": True,
        "2001:1ff:ffff::": False,
        "2001:200::": True,
        "2003::": True,
        "4000::": False,
    }
    assert {text: is_allowed(ip_address(text)) for text in edges} == edges


@pytest.fixture
def name_server(settings) -> Iterator[NameServer]:
    """A name server that knows a few names, and never answers about one of them."""
    known = {
        "here.example.com": ["127.0.0.1"],
        "public.example.com": ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"],
        "trap.example.com": ["93.184.215.14", "10.0.0.1"],
        "empty.example.com": [],
        "hanging.example.com": None,
    }
    with NameServer(known) as server:
        settings.EGRESS_NAME_SERVERS = [server.place]
        yield server


@pytest.mark.parametrize("name", ["here.example.com", "trap.example.com", "localhost"])
def test_a_name_that_leads_to_a_private_address_is_told_early(name: str, production: None, name_server) -> None:
    with pytest.raises(EgressRefused, match="not public"):
        check_resolution(URL(f"https://{name}:443/"))


@pytest.mark.parametrize("host", ["public.example.com", "nowhere.example.com", "empty.example.com", "93.184.215.14"])
def test_a_name_that_does_not_resolve_is_nobodys_fault(host: str, production: None, name_server) -> None:
    check_resolution(URL(f"https://{host}/"))


def test_nobody_waits_for_a_name_that_hangs(production: None, name_server) -> None:
    started = time.monotonic()
    check_resolution(URL("https://hanging.example.com/"), seconds=0.2)
    assert time.monotonic() - started < 2


def test_names_that_hang_take_few_of_the_threads_that_serve(production: None, name_server) -> None:
    """While some wait, others are not told early: they are told by the first attempt."""
    hangs = URL("https://hanging.example.com/")
    with ThreadPoolExecutor(egress.EARLY_AT_ONCE) as pool:
        hanging = [pool.submit(check_resolution, hangs, seconds=0.5) for _ in range(4)]
        while len(name_server.asked) < 8:
            time.sleep(0.01)
        check_resolution(URL("https://here.example.com/"))
        assert [look.result(5) for look in hanging] == [None] * 4
    with pytest.raises(EgressRefused):
        check_resolution(URL("https://here.example.com/"))


def look_up_all(hosts: Sequence[str], *, seconds: float, **where: str) -> list[list[str] | type]:
    """Look all up at once; what does not resolve has its error's type in its place."""

    async def ask() -> list[list[str] | BaseException]:
        resolver = open_resolver(seconds=seconds, **where)
        return await asyncio.gather(*(look_up(host, resolver) for host in hosts), return_exceptions=True)

    return [type(found) if isinstance(found, BaseException) else found for found in asyncio.run(ask())]


def test_a_name_has_the_addresses_of_both_kinds(name_server) -> None:
    assert look_up_all(["public.example.com", "localhost", "empty.example.com", "nowhere.example.com"], seconds=5) == [
        ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"],
        ["127.0.0.1"],
        NameNotResolved,
        NameNotResolved,
    ]
    assert {name for name, _kind in name_server.asked} == {
        "public.example.com",
        "empty.example.com",
        "nowhere.example.com",
    }


def test_the_system_says_whom_to_ask_and_without_it_nothing_resolves(settings, tmp_path) -> None:
    settings.EGRESS_NAME_SERVERS = None
    system = tmp_path / "resolv.conf"
    assert look_up_all(["here.example.com", "localhost"], seconds=5, system=str(system)) == [
        NameNotResolved,
        ["127.0.0.1"],
    ]
    system.write_text("nameserver 127.0.0.53\nsearch corp.example\n")
    assert open_resolver(seconds=5, system=str(system)).nameservers == ["127.0.0.53"]


def test_names_that_hang_keep_no_other_from_resolving(name_server) -> None:
    """More than any pool of threads would hold, and the one behind them is there at once."""
    hanging = [f"hook-{number}.example.com" for number in range(200)]
    name_server.addresses |= dict.fromkeys(hanging)
    arrived: list[float] = []

    async def ask() -> list[object]:
        resolver = open_resolver(seconds=1.0)
        looks = [asyncio.create_task(look_up(host, resolver)) for host in hanging]
        await asyncio.sleep(0.1)
        started = time.monotonic()
        assert await look_up("here.example.com", resolver) == ["127.0.0.1"]
        arrived.append(time.monotonic() - started)
        return await asyncio.gather(*looks, return_exceptions=True)

    assert {type(found) for found in asyncio.run(ask())} == {NameNotResolved}
    assert arrived[0] < 0.8


@asynccontextmanager
async def listening(seen: list[str]) -> AsyncIterator[int]:
    """Serve on loopback, noting each request; a redirect answers to /away."""

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.path)
        if request.path == "/away":
            raise web.HTTPFound("/there")
        return web.Response(text=request.headers.get("User-Agent", ""))

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert runner.addresses
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def _get(session: ClientSession, url: str) -> tuple[int, str]:
    async with session.get(url, allow_redirects=False) as response:
        return response.status, await response.text()


def _ask(path: str, seen: list[str]) -> tuple[int, str]:
    """Ask a listener on this machine, through the guarded client, without any check of the URL before."""

    async def ask() -> tuple[int, str]:
        async with listening(seen) as port, open_session(total_seconds=5, user_agent="finops") as session:
            return await _get(session, path.format(port=port))

    return asyncio.run(ask())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_socket_is_opened_to_a_refused_address(host: str, production: None) -> None:
    """Whatever looked at the URL was fooled, or the name's answer has changed since: the socket still refuses."""
    seen: list[str] = []
    with pytest.raises(EgressRefused):
        _ask(f"http://{host}:{{port}}/", seen)
    assert seen == []


def test_where_loopback_is_allowed_it_answers() -> None:
    seen: list[str] = []
    assert _ask("http://localhost:{port}/hook", seen) == (200, "finops")
    assert seen == ["/hook"]


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert _ask("http://127.0.0.1:{port}/hook", []) == (200, "finops")


@asynccontextmanager
async def saying(*, interim: int) -> AsyncIterator[int]:
    """Answer each request with so many interim answers, and then 200."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(interim // 1000):
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000)
            with suppress(ConnectionError):
                await writer.drain()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def test_an_answer_without_an_end_is_hung_up_on() -> None:
    async def ask(interim: int) -> tuple[int, str]:
        async with saying(interim=interim) as port, open_session(total_seconds=5, user_agent="finops") as session:
            return await _get(session, f"http://127.0.0.1:{port}/")

    assert asyncio.run(ask(1_000)) == (200, "ok")
    with pytest.raises((ClientError, ConnectionError)):
        asyncio.run(ask(60_000))


def test_requests_to_one_host_share_a_look_up_and_each_socket_is_checked(name_server, settings) -> None:
    """The name is asked for once; when its address is refused from then on, the kept answer opens no socket."""
    seen: list[str] = []

    async def ask() -> None:
        async with listening(seen) as port, open_session(total_seconds=5, user_agent="finops") as session:
            url = f"http://here.example.com:{port}/"
            await asyncio.gather(*(_get(session, url) for _ in range(5)))
            settings.EGRESS_ALLOW_LOOPBACK = False
            with pytest.raises(EgressRefused):
                await asyncio.gather(*(_get(session, url) for _ in range(6)))

    asyncio.run(ask())
    assert sorted(name_server.asked) == [("here.example.com", "A"), ("here.example.com", "AAAA")]
    assert set(seen) == {"/"}
