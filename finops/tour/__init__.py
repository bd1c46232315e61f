"""`make tour`: a client's journey against the running platform, through the public API alone."""

import sys

import httpx

from finops.demo_file import NoDemo, running_demo
from finops.tour.banking import BankingChapter
from finops.tour.guide import Guide, TourFailed
from finops.tour.trading import TradingChapter


def main() -> int:
    """Walk the tour against the platform whose `demo.json` is under FINOPS_HOME; return the exit code."""
    try:
        demo = running_demo()
    except NoDemo as error:
        print(error, file=sys.stderr)
        return 1
    guide = Guide(demo)
    try:
        connection_id = BankingChapter(guide).walk()
        order_id = TradingChapter(guide).walk()
    except httpx.ConnectError:
        print(
            f"Nothing answers at {demo['base_url']}: start the platform with 'make run' first.",
            file=sys.stderr,
        )
        return 1
    except TourFailed as failure:
        print(f"\nThe tour broke: {failure}", file=sys.stderr)
        return 1
    _show_links(guide, connection_id, order_id)
    return 0


def _show_links(guide: Guide, connection_id: str, order_id: str) -> None:
    admin, staff = f"{guide.demo['base_url']}/admin", guide.demo["staff"]
    print("\nSee it as staff do:")
    print(f"  dashboard    {admin}/")
    print(f"  blotter      {admin}/orders/order/")
    print(f"  the order    {admin}/orders/order/{order_id}/change/")
    print(f"  deliveries   {admin}/webhooks/delivery/")
    print(f"  connection   {admin}/providers/connection/{connection_id}/change/")
    print(f"  transactions {admin}/accounts/transaction/")
    print(f"  audit        {admin}/audit/auditentry/")
    print(f"  login        {staff['username']} / {staff['password']}, TOTP secret {staff['totp_secret']}")
