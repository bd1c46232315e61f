"""Every kind of page in a real browser, under the policy that it is served with: nothing that it needs is blocked."""

import pytest
from playwright.sync_api import ConsoleMessage, Page

from tests.backoffice.test_browser import Browser, browser  # noqa: F401  (a fixture)
from tests.backoffice.test_pages import page_url
from tests.backoffice.world import World
from tests.factories.impersonations import make_impersonation

pytestmark = pytest.mark.prove

# Redoc names a logo on a host of its own, which is not fetched, and its footer is not shown.
FOREIGN_LOGO = "https://cdn.redoc.ly/redoc/logo-mini.svg"


class Reporter:
    """Loads pages, and tells what the browser says of their policies, and what broke on them."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text and FOREIGN_LOGO not in message.text:
            self.said.append(message.text)

    def load(self, path: str) -> list[str]:
        self.said.clear()
        self.page.goto(f"http://testserver{path}", wait_until="networkidle")
        return list(self.said)


@pytest.fixture
def reporter(browser: Browser) -> Reporter:  # noqa: F811
    return Reporter(browser.page)


def test_the_admin_works_under_its_policy(reporter: Reporter, world: World):
    records = ("orders.order", "orders.riskaccount", "accounts.transaction", "webhooks.endpoint", "users.user")
    pages = ["/admin/", "/admin/orders/order/", "/admin/incidents/incident/", "/admin/nothing", *map(page_url, records)]
    assert {path: report for path in pages if (report := reporter.load(path))} == {}
    reporter.load("/admin/")
    # Alpine has run its expressions, and the theme has its colours.
    assert reporter.page.locator("button.fo-toggle").count() == 1
    colour = "getComputedStyle(document.documentElement).getPropertyValue('--color-primary-600')"
    assert reporter.page.evaluate(colour).strip()


def test_the_bar_of_whoever_looks_as_a_member_counts_down(reporter: Reporter, staff, world: World):
    make_impersonation(world.acme.tenant, world.acme.member, staff)
    pages = ["/admin/", "/admin/as-member/", "/admin/as-member/accounts/", "/admin/nothing"]
    assert {path: report for path in pages if (report := reporter.load(path))} == {}
    for path in pages:
        reporter.load(path)
        left = reporter.page.locator("#fo-as [data-left]")
        before = left.inner_text()
        reporter.page.wait_for_timeout(1_200)
        assert left.inner_text() < before <= "15:00"
        assert reporter.page.locator("#fo-as").bounding_box() == {"x": 0, "y": 0, "width": 1280, "height": 48}


def test_the_sign_in_page_works_under_its_policy(reporter: Reporter, browser: Browser):  # noqa: F811
    browser._client.logout()
    assert reporter.load("/admin/login/") == []
    assert reporter.page.locator("input[name=password]").is_visible()


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/api/v1/docs", ".swagger-ui .opblock"),
        ("/api/v1/redoc", "redoc h1, .redoc-wrap h1"),
        ("/problems/not_found", "main h1"),
        ("/problems/nothing", "main h1"),
    ],
)
def test_pages_without_sign_in_work_under_their_policies(reporter: Reporter, path: str, shown: str):
    assert reporter.load(path) == []
    reporter.page.locator(shown).first.wait_for(timeout=10_000)
