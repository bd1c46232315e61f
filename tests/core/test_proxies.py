"""Whose address a request has: the connection's, unless a proxy that we trust says otherwise."""

from ipaddress import ip_network

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from apps.core.middleware.requests import TrustedProxyMiddleware
from finops.settings import env

pytestmark = pytest.mark.no_database

PROXY, CLIENT = "10.0.0.2", "198.51.100.7"


@pytest.fixture
def address(settings):
    """Return the address that views see for a connection from `peer` with these forwarded addresses."""

    def ask(peer: str, forwarded: str | None, trusted: str = "10.0.0.0/8,2001:db8::/32") -> str:
        settings.TRUSTED_PROXIES = [ip_network(network) for network in trusted.split(",") if network]
        seen: list[str] = []

        def view(request: HttpRequest) -> HttpResponse:
            seen.append(request.META["REMOTE_ADDR"])
            return HttpResponse()

        headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        TrustedProxyMiddleware(view)(RequestFactory().get("/", REMOTE_ADDR=peer, headers=headers))
        return seen[0]

    return ask


@pytest.mark.parametrize(
    ("peer", "forwarded", "seen"),
    [
        (PROXY, CLIENT, CLIENT),
        (PROXY, None, PROXY),
        (PROXY, "", PROXY),
        (PROXY, f"{CLIENT}, 10.0.0.9", CLIENT),  # two proxies of ours
        (PROXY, f"1.1.1.1, {CLIENT}", CLIENT),  # the client invented the first
        (PROXY, f"127.0.0.1, {CLIENT}", CLIENT),
        (PROXY, f"10.0.0.1, {CLIENT}", CLIENT),
        (PROXY, f"nonsense, {CLIENT}", CLIENT),
        (PROXY, f"  {CLIENT}  ", CLIENT),
        (PROXY, "10.0.0.7, 10.0.0.8", PROXY),  # nobody but ourselves
        (PROXY, "2001:DB8:FFFF::1, 2001:DB9::1", "2001:db9::1"),
        ("2001:db8::1", CLIENT, CLIENT),
        (f"::ffff:{PROXY}", CLIENT, CLIENT),
        (PROXY, f"::ffff:{CLIENT}", CLIENT),
    ],
)
def test_the_right_most_address_that_is_no_proxy_of_ours_is_the_clients(address, peer, forwarded, seen):
    assert address(peer, forwarded) == seen


@pytest.mark.parametrize("peer", [CLIENT, "127.0.0.1", "::1", "", "unix:"])
@pytest.mark.parametrize("forwarded", ["192.0.2.9", "127.0.0.1", PROXY, "nonsense"])
def test_whoever_is_no_proxy_of_ours_is_not_believed(address, peer, forwarded):
    assert address(peer, forwarded) == peer


@pytest.mark.parametrize(
    "malformed",
    ["nonsense", "192.0.2.300", f"{CLIENT}:443", "fe80::1%eth0", "unknown", "1.1.1.1,,", "\x00", "9" * 9999],
)
def test_a_malformed_address_leaves_the_proxys(address, malformed):
    assert address(PROXY, malformed) == PROXY
    assert address(PROXY, f"{CLIENT}, {malformed}") == PROXY


def test_without_trusted_proxies_nobody_is_believed(address):
    assert address("127.0.0.1", CLIENT, trusted="") == "127.0.0.1"


@pytest.mark.parametrize(
    ("trusted", "peer", "is_secure"),
    [
        ("10.0.0.0/8", PROXY, True),
        ("10.0.0.0/8", CLIENT, False),
        ("10.0.0.0/8", "127.0.0.1", False),
        ("", CLIENT, True),  # nobody is named: whoever is asked directly is behind a proxy that nobody passes by
    ],
)
def test_once_proxies_are_named_they_alone_say_that_a_request_came_over_tls(settings, trusted, peer, is_secure):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.TRUSTED_PROXIES = [ip_network(network) for network in trusted.split(",") if network]
    seen: list[bool] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(request.is_secure())
        return HttpResponse()

    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": CLIENT}
    TrustedProxyMiddleware(view)(RequestFactory().get("/", REMOTE_ADDR=peer, headers=headers))
    assert seen == [is_secure]


def test_a_malformed_network_is_a_problem_of_the_environment(monkeypatch):
    monkeypatch.setattr(env, "PROBLEMS", [])
    monkeypatch.setenv("FINOPS_TRUSTED_PROXIES", "10.0.0.0/8, 10.0.0.1/8, proxy, ::1")
    networks = env.networks("FINOPS_TRUSTED_PROXIES")
    assert [str(network) for network in networks] == ["10.0.0.0/8", "::1/128"]
    assert env.PROBLEMS == [
        "FINOPS_TRUSTED_PROXIES must be networks such as 10.0.0.0/8, not '10.0.0.1/8'.",
        "FINOPS_TRUSTED_PROXIES must be networks such as 10.0.0.0/8, not 'proxy'.",
    ]
