"""What can be read is legible: WCAG 2.2, 1.4.3 and 1.4.11, measured in a real browser in both colour schemes."""

from typing import Any, Literal

import pytest

from tests.backoffice.test_browser import Browser, browser  # noqa: F401  (a fixture)
from tests.backoffice.test_pages import list_url, page_url
from tests.backoffice.world import World

pytestmark = pytest.mark.prove

LABELS = ("orders.order", "jobs.job", "webhooks.delivery", "accounts.account", "audit.auditentry", "incidents.incident")
# Draws each colour onto a canvas, whatever notation it is in, and each background onto the one behind it.
MEASURE = """() => {
  const brush = Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d");
  const rgba = (colour) => {
    brush.clearRect(0, 0, 1, 1);
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (front, back) => [0, 1, 2].map((i) => front[i] * front[3] + back[i] * (1 - front[3])).concat(1);
  const channel = (x) => (x / 255 <= 0.04045 ? x / 255 / 12.92 : ((x / 255 + 0.055) / 1.055) ** 2.4);
  const light = (c) => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const ratio = (a, b) => {
    const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const upwards = (element) => (element ? [...upwards(element.parentElement), element] : []);
  const paper = [255, 255, 255, 1];
  const behind = (element) =>
    upwards(element).reduce((back, each) => over(rgba(getComputedStyle(each).backgroundColor), back), paper);
  const opacity = (element) => upwards(element).reduce((all, each) => all * getComputedStyle(each).opacity, 1);
  const found = [];
  let seen = 0;
  const judge = (element, colour, back, need, what) => {
    const front = rgba(colour);
    front[3] *= opacity(element);
    const is = ratio(over(front, back), back);
    seen += 1;
    if (is < need) found.push(`${is.toFixed(2)} ${what} .${element.className}`);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const [text, element] = [texts.currentNode.data.trim(), texts.currentNode.parentElement];
    if (!text || !element.checkVisibility({visibilityProperty: true})) continue;
    if (element.getBoundingClientRect().width < 2) continue;
    const style = getComputedStyle(element);
    const need = element.classList.contains("material-symbols-outlined") ? 3 : 4.5;
    judge(element, element.closest("svg") ? style.fill : style.color, behind(element), need, text.slice(0, 30));
  }
  for (const field of document.querySelectorAll("input:is([type=text], [type=search]), select, textarea")) {
    if (!field.checkVisibility() || field === document.activeElement) continue;
    const box = parseFloat(getComputedStyle(field).borderTopWidth) ? field : field.parentElement;
    judge(field, getComputedStyle(box).borderTopColor, behind(box.parentElement), 3, `the edge of ${field.name}`);
  }
  return {found, seen};
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_the_edges_of_fields_stand_out(
    browser: Browser,  # noqa: F811
    world: World,
    scheme: Literal["light", "dark"],
) -> None:
    page = browser.page
    page.emulate_media(color_scheme=scheme)
    weak: dict[str, Any] = {}
    for path in ("/admin/", "/admin/kill-switch/", *map(list_url, LABELS), *map(page_url, LABELS)):
        page.goto(f"http://testserver{path}", wait_until="networkidle")
        measured = page.evaluate(MEASURE)
        assert measured["seen"] > 40, path
        weak |= {path: measured["found"]} if measured["found"] else {}
    assert weak == {}
