"""What every answer tells a browser that it may not do. tests/backoffice/test_content_policy.py loads the pages."""

import base64
import hashlib
import re

import pytest
from django.test import Client

from apps.core.middleware.headers import ADMIN, HEADERS, PLAIN, POLICIES, REDOC, SWAGGER, THEME_COLOURS

ANSWERS = [
    ("/", 302, PLAIN),
    ("/nothing", 404, PLAIN),
    ("/problems/not_found", 200, PLAIN),
    ("/static/core/problem.css", 200, PLAIN),
    ("/livez", 200, PLAIN),
    ("/metrics", 200, PLAIN),
    ("/api/v1/tenant", 401, PLAIN),
    ("/api/v1/nothing", 404, PLAIN),
    ("/api/v1/openapi.json", 200, PLAIN),
    ("/api/v1/docs", 200, SWAGGER),
    ("/api/v1/docs?script=", 200, SWAGGER),
    ("/api/v1/redoc", 200, REDOC),
    ("/admin/", 302, ADMIN),
    ("/admin/login/", 200, ADMIN),
]


@pytest.mark.parametrize(("path", "status", "policy"), ANSWERS)
def test_every_answer_has_every_header(client: Client, path: str, status: int, policy: str):
    response = client.get(path)
    response.close()
    assert response.status_code == status
    assert {name: response.headers.get(name) for name in HEADERS} == HEADERS
    assert response.headers["Content-Security-Policy"] == policy
    assert not [name for name in response.headers if name.startswith("Access-Control-")]


def test_an_answer_to_a_host_that_is_not_ours_has_them_too(client: Client):
    response = client.get("/api/v1/tenant", headers={"Host": "evil.example"})
    assert (response.status_code, response.headers["Content-Security-Policy"]) == (400, PLAIN)


@pytest.mark.no_database
@pytest.mark.parametrize("policy", POLICIES.values())
def test_no_policy_lets_a_page_run_what_was_written_into_it(policy: str):
    allowed = dict(part.split(" ", 1) for part in policy.split("; "))
    assert "unsafe-inline" not in policy
    assert {allowed[name] for name in ("default-src", "object-src", "base-uri", "frame-ancestors")} == {"'none'"}
    assert allowed.get("script-src", "") in ("", "'self'", "'self' 'unsafe-eval'")
    assert ("unsafe-eval" in policy) == (policy == ADMIN)


def test_the_policy_of_the_admin_knows_the_colours_of_the_theme(client: Client):
    page = client.get("/admin/login/").content.decode()
    (style,) = re.findall(r"<style[^>]*>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" == THEME_COLOURS


TYPES = {
    "/problems/not_found": "text/html; charset=utf-8",
    "/static/core/problem.css": 'text/css; charset="utf-8"',
    "/livez": "application/json",
    "/metrics": "text/plain; version=1.0.0; charset=utf-8",
    "/nothing": "application/problem+json",
    "/admin/nothing/": "text/html; charset=utf-8",
    "/api/v1/openapi.json": "application/vnd.oai.openapi+json",
    "/api/v1/tenant": "application/problem+json",
    "/admin/login/": "text/html; charset=utf-8",
}


@pytest.mark.parametrize(("path", "media_type"), TYPES.items())
def test_text_says_its_characters(client: Client, path: str, media_type: str):
    """JSON is UTF-8 by its standard (RFC 8259, 8.1); all other text names it."""
    response = client.get(path)
    response.close()
    assert response.headers["Content-Type"] == media_type


@pytest.mark.parametrize("path", ["/", "/static/", "/admin/login/", "/problems/not_found", "/livez"])
def test_nobody_is_shown_their_own_request(client: Client, path: str):
    assert client.generic("TRACE", path, headers={"Cookie": "a=b"}).status_code == 405


@pytest.mark.parametrize("path", ["/static/", "/static/core/", "/admin/static/", "/.git/config", "/static/../.env"])
def test_no_folder_is_listed_and_nothing_beside_the_files_is_served(client: Client, path: str):
    assert client.get(path).status_code in (302, 404)
