"""Outside of the admin whoever does not ask for a page is told what is wrong as the API tells it, whoever refuses."""

from uuid import UUID

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver

HOOK = f"/hooks/teller/{UUID(int=7)}"
PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
READ, SENT = "GET, HEAD", "POST"


def is_problem(response, path: str, status: int, code: str) -> bool:
    told = response.json()
    assert response["Content-Type"] == "application/problem+json"
    assert (told["type"], told["instance"]) == (f"{settings.BASE_URL}/problems/{code}", path)
    assert (told["request_id"], response["X-Request-ID"]) == ("edge-1", "edge-1")
    assert (response.status_code, told["status"], told["code"]) == (status, status, code)
    return True


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", HOOK, SENT),
        ("DELETE", HOOK, SENT),
        ("OPTIONS", HOOK, SENT),
        *(("POST", path, READ) for path in ("/livez", "/readyz", "/startupz", "/metrics", "/problems/not_found", "/")),
    ],
)
def test_a_method_that_is_not_taken(client: Client, method: str, path: str, allowed: str) -> None:
    response = client.generic(method, path, headers={"X-Request-ID": "edge-1"})
    assert is_problem(response, path, 405, "method_not_allowed")
    assert response["Allow"] == allowed


@pytest.mark.parametrize("path", ["/nothing", "/api", "/hooks", "/hooks/teller/7", "/static/nothing"])
def test_an_address_that_leads_nowhere(client: Client, path: str) -> None:
    for method in ("GET", "POST"):
        response = client.generic(method, path, headers={"X-Request-ID": "edge-1", "Accept": "application/json"})
        assert is_problem(response, path, 404, "not_found")


@pytest.mark.parametrize("path", ["/api/v1/tenant", HOOK, "/nothing"])
def test_a_host_that_is_none(client: Client, path: str) -> None:
    response = client.post(path, headers={"X-Request-ID": "edge-1", "Host": "no host"})
    assert is_problem(response, path, 400, "malformed_request")


def test_what_is_too_large(client: Client) -> None:
    response = client.post("/nothing", b"a" * 1_048_577, "text/plain", headers={"X-Request-ID": "edge-1"})
    assert is_problem(response, "/nothing", 413, "body_too_large")


def test_metrics_for_a_stranger(client: Client) -> None:
    response = client.get("/metrics", headers={"X-Request-ID": "edge-1"}, REMOTE_ADDR="203.0.113.9")
    assert is_problem(response, "/metrics", 404, "not_found")


def test_who_asks_for_a_page_gets_one_but_where_programs_alone_ask(client: Client) -> None:
    for path in ("/nothing", "/problems/none", "/admin/nothing/"):
        assert client.get(path, headers=PAGE)["Content-Type"] == "text/html; charset=utf-8", path
    assert client.get("/admin/nothing/")["Content-Type"] == "text/html; charset=utf-8"
    refused = client.post("/", headers=PAGE)
    assert (refused.status_code, refused["Allow"], "<h1>Method not allowed</h1>" in refused.content.decode()) == (
        405,
        READ,
        True,
    )
    for path in ("/api/v1/nothing", HOOK, "/livez"):
        assert client.put(path, headers=PAGE)["Content-Type"] == "application/problem+json", path


@pytest.mark.no_database
def test_no_view_outside_of_the_admin_asks_for_a_token_that_a_form_alone_has() -> None:
    outside = [found for found in get_resolver().url_patterns if str(found.pattern) != "admin/"]
    views = [view for found in outside for view in leaves(found)]
    assert len(views) > 80
    assert [view for view in views if not getattr(view, "csrf_exempt", False)] == []


def leaves(found) -> list:
    return (
        [view for child in found.url_patterns for view in leaves(child)]
        if hasattr(found, "url_patterns")
        else [found.callback]
    )
