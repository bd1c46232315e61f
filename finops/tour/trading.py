"""The tour at the desk: an order, its events, the webhook, a denial, the kill switch, and the record."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any
from uuid import uuid4

from finops.tour.guide import Guide, TourFailed
from finops.tour.listener import Listener

INSTRUMENT = "XNAS:AAPL"
FILL_SECONDS = 20.0
_ENDED = {"filled", "denied", "rejected", "canceled", "expired", "lost"}


class TradingChapter:
    """One walk to the broker and back: what it buys it sells again."""

    def __init__(self, guide: Guide) -> None:
        self._guide = guide

    def walk(self) -> str:
        """Walk every step; return the id of the order."""
        account = self._find_account()
        self._ask_first(account)
        with Listener() as listener, self._endpoint(listener):
            order = self._buy(account, listener)
            self._look_at_events(order)
            self._look_at_the_position(account)
            self._be_denied(account)
            self._stop_everything(account)
            self._sell(account, listener)
        self._look_at_the_record(order)
        return str(order["id"])

    def _find_account(self) -> dict[str, Any]:
        guide = self._guide
        guide.step("A broker's account, and what the market says")
        account: dict[str, Any] = guide.wait_for(self._brokerage_account, "the brokerage account", seconds=60)
        quote = guide.wait_for(self._fresh_quote, "a fresh quote", seconds=30)
        guide.say(f"{account['name']}: cash {account['balance']['provider']} {account['currency']}, paper")
        guide.say(f"{INSTRUMENT}  bid {quote['bid']}  ask {quote['ask']}  {quote['freshness']}, from {quote['source']}")
        return account

    def _brokerage_account(self) -> dict[str, Any] | None:
        accounts = self._guide.get("/accounts", limit=200)["data"]
        return next((one for one in accounts if one["kind"] == "brokerage" and one["status"] == "open"), None)

    def _fresh_quote(self) -> dict[str, Any] | None:
        response = self._guide.acme.get(f"/quotes/{INSTRUMENT}")
        quote: dict[str, Any] = response.json() if response.is_success else {}
        return quote if quote.get("freshness") == "fresh" else None

    def _ask_first(self, account: dict[str, Any]) -> None:
        guide = self._guide
        guide.step("Would the risk gate let it pass? A dry run is recorded, and sends nothing")
        decision = guide.check(self._post(account, quantity="2", dry_run=True), 200).json()
        guide.say(f"{decision['outcome']}: {len(decision['checks'])} checks on one snapshot")

    @contextmanager
    def _endpoint(self, listener: Listener) -> Iterator[None]:
        guide = self._guide
        guide.step("Tell our server about orders: a webhook endpoint with a secret of its own")
        body = {"url": listener.url, "event_types": ["order.*"], "description": "Tour"}
        endpoint = guide.check(guide.acme.post("/webhooks/endpoints", json=body), 201).json()
        listener.secret = endpoint["secret"]
        guide.say(f"listening at {listener.url} for {', '.join(endpoint['event_types'])}")
        try:
            yield
        finally:
            guide.check(guide.acme.delete(f"/webhooks/endpoints/{endpoint['id']}"), 204)

    def _buy(self, account: dict[str, Any], listener: Listener) -> dict[str, Any]:
        guide = self._guide
        guide.step("Buy two shares, twice under one Idempotency-Key")
        key, started = f"tour-{uuid4()}", perf_counter()
        first = guide.check(self._post(account, quantity="2", key=key), 201)
        again = guide.check(self._post(account, quantity="2", key=key), 201)
        guide.expect(first.content == again.content, "the replay differs from the first answer")
        order = self._ended(first.json()["id"])
        guide.expect(order["status"] == "filled", f"the order ended as {order['status']}: {order['denial']}")
        guide.say(f"{first.json()['status']} -> {order['status']} at {order['average_fill_price']}")
        hook = guide.wait_for(lambda: listener.find("order.filled", order["id"]), "the webhook", seconds=FILL_SECONDS)
        seconds = perf_counter() - started
        guide.expect(listener.refused == 0, "a webhook came without a valid signature")
        guide.say(f"webhook {hook['type']} received, its signature verified, {seconds:.1f} s after the post")
        return order

    def _look_at_events(self, order: dict[str, Any]) -> None:
        guide = self._guide
        guide.step("What happened to it, in order")
        for event in guide.get(f"/orders/{order['id']}/events")["data"]:
            guide.say(f"{event['sequence']}  {event['at']}  {event['type']}")

    def _look_at_the_position(self, account: dict[str, Any]) -> None:
        guide = self._guide
        guide.step("The position follows")
        for position in guide.get("/positions", account=account["id"])["data"]:
            guide.say(
                f"{position['instrument']}  {position['quantity']} at {position['average_price']}"
                f"  unrealised {position['unrealized_pnl']}  realised {position['realized_pnl']}"
            )

    def _be_denied(self, account: dict[str, Any]) -> None:
        guide = self._guide
        guide.step("Far too much of it: the gate says no, and the no is on record")
        order = guide.check(self._post(account, quantity="100000"), 201).json()
        guide.expect(order["status"] == "denied", f"the order is {order['status']}")
        guide.say(f"{order['denial']['code']}: {order['denial']['detail']}")

    def _stop_everything(self, account: dict[str, Any]) -> None:
        guide = self._guide
        guide.step("The kill switch: after its commit nothing goes out")
        guide.check(guide.acme.put("/kill-switch", json={"engaged": True, "reason": "Shown on the tour"}), 200)
        try:
            order = guide.check(self._post(account, quantity="1"), 201).json()
            guide.expect(order["status"] == "denied", f"the order is {order['status']}")
            guide.say(f"{order['denial']['code']}: {order['denial']['detail']}")
        finally:
            guide.check(guide.acme.put("/kill-switch", json={"engaged": False, "reason": "The tour goes on"}), 200)
        guide.say("released")

    def _sell(self, account: dict[str, Any], listener: Listener) -> None:
        guide = self._guide
        guide.step("Sell them again")
        order = self._ended(guide.check(self._post(account, quantity="2", side="sell"), 201).json()["id"])
        guide.expect(order["status"] == "filled", f"the order ended as {order['status']}: {order['denial']}")
        guide.wait_for(lambda: listener.find("order.filled", order["id"]), "the webhook", seconds=FILL_SECONDS)
        guide.say(f"filled at {order['average_fill_price']}; {len(listener.verified)} webhooks verified in all")

    def _look_at_the_record(self, order: dict[str, Any]) -> None:
        guide = self._guide
        guide.step("Every step left its audit leaf")
        entries = guide.wait_for(
            lambda: self._entries(order["id"], "order.filled"), "the audit entry of the fill", seconds=15
        )
        for entry in reversed(entries):
            guide.say(f"{entry['action']:<18} by {entry['actor']['label']:<14} leaf {entry['leaf_hash'][:16]}…")

    def _entries(self, order_id: str, action: str) -> list[dict[str, Any]] | None:
        entries: list[dict[str, Any]] = self._guide.get("/audit/entries", target_id=order_id, limit=50)["data"]
        return entries if any(entry["action"] == action for entry in entries) else None

    def _post(
        self, account: dict[str, Any], *, quantity: str, side: str = "buy", key: str = "", dry_run: bool = False
    ) -> Any:
        body = {
            "account_id": account["id"],
            "instrument": INSTRUMENT,
            "side": side,
            "type": "market",
            "quantity": quantity,
            "time_in_force": "day",
        }
        body |= {"dry_run": True} if dry_run else {}
        headers = {"Idempotency-Key": key or f"tour-{uuid4()}"}
        return self._guide.acme.post("/orders", json=body, headers=headers)

    def _ended(self, order_id: str) -> dict[str, Any]:
        """Wait for an order's end."""

        def probe() -> dict[str, Any] | None:
            order = self._guide.get(f"/orders/{order_id}")
            return order if order["status"] in _ENDED else None

        try:
            ended: dict[str, Any] = self._guide.wait_for(probe, "the order to end", seconds=FILL_SECONDS)
        except TourFailed as failure:
            status = self._guide.get(f"/orders/{order_id}")["status"]
            raise TourFailed(f"{failure}; it is {status}") from None
        return ended
