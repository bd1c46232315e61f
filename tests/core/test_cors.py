"""Pages of other origins: none reads an answer, unless its origin is listed; none ever sends a user's cookies."""

import pytest
from django.test import Client

from finops.settings import env

APP, OTHER = "https://app.example.com", "https://evil.example"
TENANT = "/api/v1/tenant"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture
def listed(settings) -> None:
    settings.CORS_ORIGINS = [APP]


def cors_of(response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name.startswith("Access-Control-")}


@pytest.mark.parametrize("origin", [APP, OTHER, "null", "http://testserver"])
def test_nobody_is_allowed_by_default(client: Client, origin: str):
    assert cors_of(client.get(TENANT, headers={"Origin": origin})) == {}
    preflight = client.options(TENANT, headers={"Origin": origin, **PREFLIGHT})
    assert (preflight.status_code, cors_of(preflight)) == (401, {})


def test_a_preflight_of_a_listed_origin_is_answered_without_credentials(client: Client, listed: None):
    response = client.options(TENANT, headers={"Origin": APP, **PREFLIGHT})
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["Vary"] == "Origin"
    assert cors_of(response) == {
        "Access-Control-Allow-Origin": APP,
        "Access-Control-Allow-Methods": "DELETE, GET, HEAD, PATCH, POST, PUT",
        "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
        "traceparent, X-Request-ID",
        "Access-Control-Max-Age": "7200",
        "Access-Control-Expose-Headers": "ETag, Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, "
        "Retry-After, X-Request-ID",
    }


@pytest.mark.parametrize("path", [TENANT, "/api/v1/nothing", "/api/v1/openapi.json"])
def test_a_listed_origin_reads_answers_and_errors(client: Client, listed: None, path: str):
    response = client.get(path, headers={"Origin": APP})
    assert response.headers["Access-Control-Allow-Origin"] == APP
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert "Origin" in response.headers["Vary"]


@pytest.mark.parametrize(
    "origin", [OTHER, "null", f"{APP}.evil.example", f"{APP}:8443", "http://app.example.com", APP.upper(), ""]
)
def test_an_origin_that_is_not_listed_reads_nothing(client: Client, listed: None, origin: str):
    response = client.get(TENANT, headers={"Origin": origin})
    assert (cors_of(response), response.headers["Vary"]) == ({}, "Origin")
    assert cors_of(client.options(TENANT, headers={"Origin": origin, **PREFLIGHT})) == {}


@pytest.mark.parametrize("path", ["/admin/login/", "/problems/not_found", "/static/core/problem.css", "/metrics"])
def test_only_the_api_answers_other_origins(client: Client, listed: None, path: str):
    response = client.get(path, headers={"Origin": APP})
    response.close()
    assert cors_of(response) == {}


@pytest.mark.no_database
def test_what_is_no_origin_is_a_problem_of_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(env, "PROBLEMS", [])
    wrong = ["*", "null", "app.example.com", f"{APP}/", f"{APP}:443", "https://*.example.com", "HTTPS://app.example"]
    monkeypatch.setenv("FINOPS_CORS_ORIGINS", ",".join([APP, *wrong, "http://127.0.0.1:3000", "http://[::1]:3000"]))
    assert env.origins("FINOPS_CORS_ORIGINS") == [APP, "http://127.0.0.1:3000", "http://[::1]:3000"]
    assert len(env.PROBLEMS) == len(wrong)
