"""live.js in a real browser: what changes is on the page two seconds later, and what does not change is left alone.

Chromium asks the test client, so that no server runs and the test's transaction is rolled back.
"""

import os
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client
from playwright.sync_api import Page, Route, expect, sync_playwright

from apps.core import clock
from apps.core.scope import write_scope
from apps.orders.models import Order
from apps.orders.services.requests import request_cancel
from tests.backoffice.world import World

pytestmark = pytest.mark.prove

CHROMIUM = os.environ.get("FINOPS_CHROMIUM") or shutil.which("chromium")
BLOTTER = "/admin/orders/order/"
PERIOD, LATE = 2.0, 1.5  # seconds: how often the page asks, and what a busy machine may add
# Counts every node of the list that comes, goes or changes, and every row that is lit up.
WATCH = """() => {
  window.seen = {changes: 0, flashes: []};
  new MutationObserver((records) => {
    for (const {target, attributeName} of records) {
      const age = (target.nodeType === Node.TEXT_NODE ? target.parentElement : target).closest("time.fo-time");
      if (!age) window.seen.changes += 1;
      const isLit = attributeName === "class" && /fo-(new|changed)/.test(target.className);
      if (isLit) window.seen.flashes.push(target.dataset.key);
    }
  }).observe(document.getElementById("rows"), {subtree: true, childList: true, characterData: true, attributes: true});
}"""


class Browser:
    """A page whose every request is answered by a signed-in test client; `asked` holds what the page asked for live."""

    def __init__(self, page: Page, client: Client, database: BaseDatabaseWrapper) -> None:
        self.page, self._client, self._database = page, client, database
        self.asked: list[int] = []
        page.route("**/*", self._answer)

    def _answer(self, route: Route) -> None:
        connections["default"] = self._database  # Playwright calls this in a context of its own
        url = urlsplit(route.request.url)
        known = {name: value for name, value in route.request.headers.items() if name in {"accept", "if-none-match"}}
        response = self._client.get(f"{url.path}?{url.query}", headers=known)
        if "live" in url.query:
            self.asked.append(response.status_code)
        body = b"".join(response) if response.streaming else response.content
        route.fulfill(status=response.status_code, headers=dict(response.items()), body=body)

    def wait_for_answers(self, count: int) -> None:
        """Wait until the page has asked so many times more."""
        wanted = len(self.asked) + count
        for _step in range(int(count * (PERIOD + LATE) / 0.05)):
            if len(self.asked) >= wanted:
                break
            self.page.wait_for_timeout(50)
        assert len(self.asked) >= wanted
        self.page.wait_for_timeout(200)  # the answer is on its way into the page


@pytest.fixture
def browser(staff_client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not on the path; FINOPS_CHROMIUM names it")
    # Playwright's loop runs in this thread: Django takes the test for asynchronous, and would open a connection anew.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    database = connections["default"]
    with sync_playwright() as playwright:
        connections["default"] = database
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield Browser(chromium.new_page(), staff_client, database)
        chromium.close()


def row_of(page: Page, order: Order):
    return page.locator(f'#result_list tr[data-key="{order.pk}"]')


def test_the_blotter_follows_an_order_and_leaves_the_rest_alone(browser: Browser, world: World):
    page, order, desk = browser.page, world.acme.trade.working, world.acme.trade.desk
    page.goto(f"http://testserver{BLOTTER}")
    expect(row_of(page, order)).not_to_contain_text("Cancel asked")
    browser.wait_for_answers(1)
    page.evaluate(WATCH)
    browser.wait_for_answers(1)
    assert browser.asked[-1] == 304
    assert page.evaluate("window.seen") == {"changes": 0, "flashes": []}

    before = len(browser.asked)
    with write_scope(desk.actor):
        request_cancel(order_id=order.pk, actor=desk.actor, now=clock.now())
    expect(row_of(page, order)).to_contain_text("Cancel asked", timeout=(PERIOD + LATE) * 1000)
    assert browser.asked[before:] == [200]
    expect(row_of(page, order)).to_have_class("fo-changed")
    assert page.evaluate("window.seen.flashes") == [str(order.pk)]  # and so it is the page that was opened, not another


def test_rows_that_are_chosen_stay_where_they_are(browser: Browser, world: World):
    page, order, desk = browser.page, world.acme.trade.working, world.acme.trade.desk
    page.goto(f"http://testserver{BLOTTER}?standing=open")
    row_of(page, order).locator("input.action-select").check()
    with write_scope(desk.actor):
        Order.objects.filter(pk=order.pk).update(status="canceled", closed_at=clock.now())
    browser.wait_for_answers(1)
    expect(row_of(page, order).locator("input.action-select")).to_be_checked()
    expect(page.locator("[data-live-mark]")).to_contain_text("while rows are chosen none comes or goes")
