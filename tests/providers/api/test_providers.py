"""GET /providers."""

import socket

import pytest

from apps.providers.transport.breaker import provider_breaker

URL = "/api/v1/providers"


@pytest.fixture
def breakers():
    """The breakers of the built-in providers' hosts, closed."""
    found = {name: provider_breaker(name) for name in ("teller", "alpaca.live", "alpaca.paper", "alpaca.data")}
    for breaker in found.values():
        breaker.succeed()
    yield found
    for breaker in found.values():
        breaker.succeed()


def test_what_a_client_needs_to_connect(acme_viewer, breakers):
    response = acme_viewer.get(URL)
    body = response.json()
    assert body["next_cursor"] is None
    assert b'"seconds":60,' in response.content  # what has a fraction is a string, in every answer
    assert [provider["name"] for provider in body["data"]] == ["alpaca", "teller"]
    assert body["data"] == [
        {
            "name": "alpaca",
            "title": "Alpaca",
            "status": "available",
            "reason": "",
            "capabilities": ["brokerage", "market_data"],
            "limits": [{"scope": "connection", "requests": 5000, "seconds": 60, "burst": 5000}],
            "credential_fields": [
                {
                    "name": "key_id",
                    "title": "API key id (PK… of a paper account, AK… of a live one)",
                    "secret": False,
                    "required": True,
                    "max_length": 64,
                },
                {
                    "name": "secret_key",
                    "title": "Secret key",
                    "secret": True,
                    "required": True,
                    "max_length": 512,
                },
            ],
            "health": {"status": "up", "retry_at": None},
        },
        {
            "name": "teller",
            "title": "Teller",
            "status": "available",
            "reason": "",
            "capabilities": ["banking"],
            "limits": [{"scope": "application", "requests": 50, "seconds": 1, "burst": 100}],
            "credential_fields": [
                {
                    "name": "access_token",
                    "title": "Access token from Teller Connect",
                    "secret": True,
                    "required": True,
                    "max_length": 512,
                },
                {
                    "name": "enrollment_id",
                    "title": "Enrolment id from Teller Connect",
                    "secret": False,
                    "required": False,
                    "max_length": 200,
                },
            ],
            "health": {"status": "up", "retry_at": None},
        },
    ]


def health_of(client, name: str) -> dict:
    return next(provider["health"] for provider in client.get(URL).json()["data"] if provider["name"] == name)


def test_a_provider_that_is_down_says_until_when(acme_viewer, breakers):
    while not breakers["teller"].fail():
        pass
    health = health_of(acme_viewer, "teller")
    assert health["status"] == "down"
    assert health["retry_at"].endswith("Z")


@pytest.mark.parametrize("host", ["live", "paper", "data"])
def test_a_provider_of_several_hosts_is_as_well_as_the_worst(acme_viewer, breakers, host):
    while not breakers[f"alpaca.{host}"].fail():
        pass
    assert health_of(acme_viewer, "alpaca")["status"] == "down"
    assert health_of(acme_viewer, "teller")["status"] == "up"


def test_without_valkey_health_is_not_known(acme_viewer, settings):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.REDIS_URL = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
    assert health_of(acme_viewer, "teller") == {"status": "unknown", "retry_at": None}
    assert health_of(acme_viewer, "alpaca") == {"status": "unknown", "retry_at": None}


def test_the_page_after_the_last(acme_viewer):
    from apps.core.api.pagination import encode_cursor

    assert acme_viewer.get(f"{URL}?cursor={encode_cursor(['teller'])}").json() == {"data": [], "next_cursor": None}
    assert acme_viewer.get(f"{URL}?cursor=nonsense").json()["code"] == "invalid_cursor"


def test_who_may(acme_viewer, anonymous):
    assert acme_viewer.get(URL).status_code == 200
    assert anonymous.get(URL).status_code == 401
