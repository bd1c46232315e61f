"""A passkey in a real browser, with its virtual authenticator: added, used to sign in, refused when it is another's."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connections
from playwright.sync_api import Route, expect

from apps.users.models import Passkey
from tests.backoffice.test_browser import Browser, browser  # noqa: F401  (a fixture)

pytestmark = pytest.mark.prove

HERE = "http://localhost:8000"
OPTIONS = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def page(browser: Browser, settings):  # noqa: F811
    """A page at http://localhost, since browsers have passkeys for names in secure contexts alone."""
    settings.BASE_URL, settings.ALLOWED_HOSTS = "http://127.0.0.1:8000", ["localhost"]
    client = browser._client
    client.defaults["HTTP_HOST"] = "localhost:8000"

    def answer(route: Route) -> None:
        connections["default"] = browser._database
        asked, url = route.request, urlsplit(route.request.url)
        kind = asked.headers.get("content-type", "application/octet-stream")
        path = f"{url.path}?{url.query}"
        response = client.generic(asked.method, path, asked.post_data_buffer or b"", kind, follow=True)
        body = b"".join(response) if response.streaming else response.content
        route.fulfill(status=response.status_code, headers=dict(response.items()), body=body)

    browser.page.unroute("**/*")
    browser.page.route("**/*", answer)
    session = browser.page.context.new_cdp_session(browser.page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": OPTIONS})
    return browser.page


def shoot(page, name: str) -> None:
    if folder := os.environ.get("FINOPS_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def test_it_is_added_and_signs_in(page, browser: Browser, staff):  # noqa: F811
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.goto(f"{HERE}/admin/factors/")
    page.locator("form[data-passkey] input[name=name]").fill("laptop")
    shoot(page, "factors")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator(".fo-codes li")).to_have_count(10)
    assert Passkey.objects.get().name == "laptop"
    page.goto(f"{HERE}/admin/factors/")
    shoot(page, "factors-added")

    browser._client.logout()
    page.goto(f"{HERE}/admin/login/?next=/admin/factors/")
    shoot(page, "login")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.locator(".fo-factor-list")).to_contain_text("laptop")
    assert Passkey.objects.get().sign_count > 0

    browser._client.logout()
    Passkey.objects.all().delete()
    page.goto(f"{HERE}/admin/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert").first).to_contain_text("The passkey was not accepted")
    shoot(page, "login-refused")
    assert [text for text in said if "Content Security" in text] == []
