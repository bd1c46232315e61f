"""Takes the pictures in docs/images from the running platform.

`make run` in one terminal, `make screenshots` in another.

Signs in as the demo's staff user with a one-time code and drives Chromium (`chromium` on the path, or the
executable that FINOPS_CHROMIUM names).
"""

import argparse
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, ViewportSize, sync_playwright

from docs.trading_day import receivers, trade
from finops.demo_file import STEP_SECONDS, NoDemo, one_time_code, running_demo

ROOT = Path(__file__).resolve().parents[1]
SIZE = ViewportSize(width=1440, height=900)
DAY = 24 * 3600
MORE = {
    "accounts": "accounts/account/",
    "runs": "providers/syncrun/",
    "jobs": "jobs/job/",
    "audit": "audit/auditentry/",
    "incidents": "incidents/incident/",
    "schedule": "django_celery_beat/periodictask/",
    "keys": "tenants/apikey/",
    "users": "users/user/",
    "devices": "users/authenticator/",
    "events": "outbox/outboxevent/",
    "fills": "orders/fill/",
    "positions": "orders/position/",
    "trading-accounts": "orders/riskaccount/",
    "decisions": "orders/riskdecision/",
    "endpoints": "webhooks/endpoint/",
    "instruments": "market/instrument/",
    "listings": "market/listing/",
    "quotes": "market/quote/",
    "clocks": "market/venueclock/",
    "imports": "market/listingimport/",
    "verifications": "ops/verificationrun/",
    "clearings": "ops/clearing/",
}


def sign_in(page: Page, base: str, staff: dict[str, str]) -> None:
    """Fill the sign-in form; a code works once, so a refused one is followed by the next."""
    for _attempt in range(3):
        page.goto(f"{base}/admin/login/?next=/admin/")
        page.fill("[name=username]", staff["username"])
        page.fill("[name=password]", staff["password"])
        page.fill("[name=otp_token]", one_time_code(staff["totp_secret"], time.time()))
        page.click("button[type=submit]")
        page.wait_for_load_state()
        if "/login/" not in page.url:
            return
        time.sleep(STEP_SECONDS - time.time() % STEP_SECONDS + 0.5)
    sys.exit("Signing in was refused three times; see the audit log of the installation.")


def shoot(page: Page, folder: Path, name: str) -> None:
    """Write a picture of what is visible."""
    page.wait_for_load_state("networkidle", timeout=5_000) if name == "login" else page.wait_for_timeout(400)
    path = folder / f"{name}.png"
    page.screenshot(path=path)
    sys.stdout.write(f"{path}  {path.stat().st_size // 1024} kB\n")


def bring_news(page: Page, base: str, sandbox: str) -> None:
    """Bring the sandbox's banks a day forward and sync everything, so that there is something new to see."""
    page.request.post(f"{sandbox}/_control/advance", data={"seconds": DAY})
    page.goto(f"{base}/admin/providers/connection/")
    for box in page.query_selector_all("#result_list tbody input.action-select"):
        box.check()
    page.click(".fo-actionbar button[value=sync_now]")
    page.wait_for_timeout(4_000)


def take_trading(page: Page, base: str, folder: Path) -> None:
    """Picture the blotter, an order that was filled, the delivery log and the kill switch."""
    page.goto(f"{base}/admin/orders/order/")
    shoot(page, folder, "blotter")
    page.goto(f"{base}/admin/orders/order/?status__exact=filled")
    page.click("#result_list th a")
    page.wait_for_selector(".fo-timeline")
    shoot(page, folder, "order")
    page.goto(f"{base}/admin/webhooks/delivery/")
    shoot(page, folder, "deliveries")
    page.goto(f"{base}/admin/kill-switch/")
    shoot(page, folder, "kill-switch")


def take(page: Page, content: dict[str, Any], folder: Path, extra: list[str]) -> None:
    """Go through the pages of the README, and `extra` ones by name."""
    base = content["base_url"]
    page.goto(f"{base}/admin/login/")
    shoot(page, folder, "login")
    sign_in(page, base, content["staff"])
    bring_news(page, base, content["sandbox_url"])
    with receivers() as receiver:
        trade(content, receiver)
        page.wait_for_timeout(3_000)
        page.goto(f"{base}/admin/")
        page.wait_for_selector(".fo-tiles")
        shoot(page, folder, "dashboard")
        take_trading(page, base, folder)
    page.goto(f"{base}/admin/providers/connection/")
    if "connections" in extra:
        shoot(page, folder, "connections")
    page.click("#result_list th a")
    page.wait_for_selector(".fo-hero")
    shoot(page, folder, "connection")
    page.goto(f"{base}/admin/accounts/transaction/")
    shoot(page, folder, "transactions")
    for name in [name for name in extra if name in MORE]:
        page.goto(f"{base}/admin/{MORE[name]}")
        shoot(page, folder, name)
        first = page.query_selector("#result_list th a")
        if first:
            first.click()
            page.wait_for_selector(".fo-hero")
            shoot(page, folder, f"{name}-detail")


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--dark", action="store_true", help="in dark colours")
    parser.add_argument("extra", nargs="*", help=f"also: connections, {', '.join(MORE)}")
    options = parser.parse_args()
    executable = os.environ.get("FINOPS_CHROMIUM") or shutil.which("chromium")
    if executable is None:
        sys.exit("Chromium is not on the path. Install it, or name it in FINOPS_CHROMIUM.")
    options.folder.mkdir(parents=True, exist_ok=True)
    try:
        content = running_demo()
    except NoDemo as error:
        sys.exit(str(error))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        )
        page = browser.new_page(viewport=SIZE, color_scheme="dark" if options.dark else "light")
        take(page, content, options.folder, options.extra)
        browser.close()


if __name__ == "__main__":
    main()
