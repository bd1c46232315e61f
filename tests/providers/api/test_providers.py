"""GET /providers."""

import socket

import pytest

from apps.providers.transport.breaker import provider_breaker

URL = "/api/v1/providers"


@pytest.fixture
def teller_breaker():
    breaker = provider_breaker("teller")
    breaker.succeed()
    yield breaker
    breaker.succeed()


def test_what_a_client_needs_to_connect(acme_viewer, teller_breaker):
    body = acme_viewer.get(URL).json()
    assert body == {
        "data": [
            {
                "name": "teller",
                "title": "Teller",
                "status": "available",
                "reason": "",
                "capabilities": ["banking"],
                "limits": [{"scope": "application", "requests": 50, "seconds": 1.0, "burst": 100}],
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
            }
        ],
        "next_cursor": None,
    }


def test_a_provider_that_is_down_says_until_when(acme_viewer, teller_breaker):
    while not teller_breaker.fail():
        pass
    health = acme_viewer.get(URL).json()["data"][0]["health"]
    assert health["status"] == "down"
    assert health["retry_at"].endswith("Z")


def test_without_valkey_health_is_not_known(acme_viewer, settings):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.REDIS_URL = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
    assert acme_viewer.get(URL).json()["data"][0]["health"] == {"status": "unknown", "retry_at": None}


def test_the_page_after_the_last(acme_viewer):
    from apps.core.api.pagination import encode_cursor

    assert acme_viewer.get(f"{URL}?cursor={encode_cursor(['teller'])}").json() == {"data": [], "next_cursor": None}
    assert acme_viewer.get(f"{URL}?cursor=nonsense").json()["code"] == "invalid_cursor"


def test_who_may(acme_viewer, anonymous):
    assert acme_viewer.get(URL).status_code == 200
    assert anonymous.get(URL).status_code == 401
