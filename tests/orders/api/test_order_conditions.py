"""Orders under the conditions of a role of the tenant's own: what a trader may place, replace and cancel, and when."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from rest_framework.test import APIClient

from apps.core import clock
from apps.core.conditions import DAYS
from apps.core.scope import tenant_scope
from apps.market.models import Quote
from apps.orders.enums import OrderStatus
from apps.orders.models import Order
from apps.tenants.models import Tenant, TenantRole
from tests.factories.orders import Desk, make_desk, make_order, read_order
from tests.factories.tenants import make_member, make_role
from tests.orders.intake import URL, body_of, post, traces
from tests.tenants.api.calls import signed_in

TRADE = ("accounts:read", "orders:read", "orders:write")


@pytest.fixture
def desk(acme: Tenant) -> Desk:
    return make_desk(acme)  # bid 189.98, ask 190.02


def trader(tenant: Tenant, *conditions: dict[str, Any]) -> tuple[APIClient, UUID]:
    """Return a member who holds orders:write under these conditions, and their user's id."""
    make_role(tenant, "junior", TRADE, conditions={"orders:write": list(conditions)})
    user = make_member(tenant, "june", "junior")
    return signed_in("june"), user.id


def below(amount: str) -> dict[str, Any]:
    return {"type": "amount_below", "amount": amount}


def hours(start: str, end: str, *days: str) -> dict[str, Any]:
    return {"type": "hours", "time_zone": "UTC", "days": list(days or DAYS), "from": start, "to": end}


def refused(answer: Any) -> str:
    """Return the condition that a refusal names."""
    body = answer.json()
    assert (answer.status_code, body["code"]) == (403, "condition_failed"), answer.content
    return str(body["condition"])


class TestAmounts:
    @pytest.mark.parametrize(
        ("terms", "at_worst"),
        [
            # Ten at a limit of 190.25 cost no more than that.
            ({}, "1902.5"),
            # At the market a buy is valued at 4 % above the ask, a sale at 3 %: 10 * 197.6208, 10 * 195.7206.
            ({"type": "market", "limit_price": None}, "1976.208"),
            ({"type": "market", "limit_price": None, "side": "sell"}, "1957.206"),
            # A stop that lies above the ask counts itself: 10 * 200 * 1.04.
            ({"type": "stop", "limit_price": None, "stop_price": "200"}, "2080"),
            # Who sells at a limit far below the market may get the market's price.
            ({"side": "sell", "limit_price": "100"}, "1957.206"),
        ],
    )
    def test_an_order_is_worth_what_the_gate_takes_it_to_be(
        self, acme: Tenant, desk: Desk, terms: dict[str, Any], at_worst: str
    ) -> None:
        client, _user_id = trader(acme, below(at_worst))
        before = traces(acme.id)
        answer = post(client, body_of(desk, **terms))
        assert refused(answer) == "amount_below"
        detail = f"The condition does not hold: only amounts below {at_worst} in the account's currency."
        assert answer.json()["detail"] == detail
        assert traces(acme.id) == before
        one_more = str(Decimal(at_worst) + Decimal("0.01"))
        body = {"conditions": {"orders:write": [below(one_more)]}}
        assert admin(acme).patch(junior(acme), body, format="json").status_code == 200
        assert post(client, body_of(desk, **terms)).status_code == 201

    def test_a_dry_run_is_held_to_it(self, acme: Tenant, desk: Desk) -> None:
        client, _user_id = trader(acme, below("100"))
        assert refused(post(client, body_of(desk, dry_run=True))) == "amount_below"

    def test_an_order_of_unknown_worth_is_refused(self, acme: Tenant, desk: Desk) -> None:
        client, _user_id = trader(acme, below("1000000000"))
        long_ago = clock.now() - timedelta(hours=1)
        Quote.objects.update(venue_at=long_ago, received_at=long_ago)
        before = traces(acme.id)
        assert refused(post(client, body_of(desk, type="market", limit_price=None))) == "amount_below"
        assert traces(acme.id) == before
        # What a limit says needs no quote: the gate then decides, and denies for the quote's age.
        answer = post(client, body_of(desk))
        assert (answer.status_code, answer.json()["denial"]["code"]) == (201, "price_stale")

    def test_a_replacement_cannot_grow_beyond_it(self, acme: Tenant, desk: Desk) -> None:
        client, user_id = trader(acme, below("2000"))
        order = at_venue(desk, placed_by=user_id)
        before = traces(acme.id)
        for change in ({"quantity": "11"}, {"limit_price": "201"}, {"quantity": "20", "limit_price": "100.01"}):
            assert refused(replace(client, order, change)) == "amount_below"
        assert (traces(acme.id), read_order(order).version) == (before, order.version)
        assert replace(client, order, {"limit_price": "199.9"}).status_code == 200

    def test_who_may_not_place_it_may_still_cancel_it(self, acme: Tenant, desk: Desk) -> None:
        client, _user_id = trader(acme, below("1"))
        assert cancel(client, at_venue(desk)).status_code == 202


class TestOwnOrders:
    def test_others_orders_are_neither_replaced_nor_canceled(self, acme: Tenant, desk: Desk, acme_trader: Any) -> None:
        client, _user_id = trader(acme, {"type": "own"})
        orders = [at_venue(desk), at_venue(desk, client_order_id="c-2", placed_by=make_member(acme, "eve").id)]
        before = traces(acme.id)
        for order in orders:
            assert refused(cancel(client, order)) == "own"
            assert refused(replace(client, order, {"quantity": "1"})) == "own"
            # Before anything else is looked at: what they may not do, a stale version does not hide.
            assert refused(cancel(client, order, **{"If-Match": '"9"'})) == "own"
            assert read_order(order).version == order.version
        assert traces(acme.id) == before
        assert client.get(f"{URL}/{orders[0].id}").status_code == 200
        assert cancel(acme_trader, orders[0]).status_code == 202

    def test_ones_own_are(self, acme: Tenant, desk: Desk) -> None:
        client, user_id = trader(acme, {"type": "own"})
        placed = post(client, body_of(desk)).json()
        with tenant_scope(acme.id):
            assert Order.objects.get(id=placed["id"]).placed_by == user_id
        assert client.post(f"{URL}/{placed['id']}/cancel").status_code == 202
        order = at_venue(desk, placed_by=user_id)
        replacement = replace(client, order, {"quantity": "1"})
        assert replacement.status_code == 200
        with tenant_scope(acme.id):
            assert Order.objects.get(id=replacement.json()["id"]).placed_by == user_id

    def test_what_is_not_there_is_not_there(self, acme: Tenant, desk: Desk, globex: Tenant) -> None:
        client, _user_id = trader(acme, {"type": "own"})
        theirs = make_order(make_desk(globex, key_id="PKGLOBEX"), OrderStatus.ACCEPTED)
        assert cancel(client, theirs).status_code == 404
        assert replace(client, theirs, {"quantity": "1"}).status_code == 404


class TestHours:
    def test_outside_of_them_nothing_of_it_works_and_all_the_rest_does(self, acme: Tenant, desk: Desk) -> None:
        now = clock.now()
        yesterday = DAYS[now.weekday() - 1]
        client, user_id = trader(acme, hours("00:00", "00:01", yesterday))
        order = at_venue(desk, placed_by=user_id)
        before = traces(acme.id)
        for answer in (
            post(client, body_of(desk)),
            replace(client, order, {"quantity": "1"}),
            cancel(client, order),
        ):
            assert refused(answer) == "hours"
        assert traces(acme.id) == before
        assert client.get(URL).status_code == 200

    def test_within_them_it_works(self, acme: Tenant, desk: Desk) -> None:
        client, _user_id = trader(acme, hours("00:00", "24:00"), {"type": "own"}, below("2000"))
        assert post(client, body_of(desk)).status_code == 201

    def test_any_permission_can_have_them(self, acme: Tenant) -> None:
        yesterday = DAYS[clock.now().weekday() - 1]
        make_role(acme, "clerk", ["orders:read"], conditions={"orders:read": [hours("00:00", "00:01", yesterday)]})
        make_member(acme, "carl", "clerk")
        assert refused(signed_in("carl").get(URL)) == "hours"


def test_a_key_places_under_no_condition_and_owns_what_it_placed(acme: Tenant, desk: Desk, acme_trader: Any) -> None:
    placed = post(acme_trader, body_of(desk)).json()
    with tenant_scope(acme.id):
        placed_by = Order.objects.get(id=placed["id"]).placed_by
    assert str(placed_by) == acme_trader.get("/api/v1/me").json()["principal"]["id"]


def at_venue(desk: Desk, **values: Any) -> Order:
    """Return an accepted order for ten at 190, of which the venue's figures know."""
    order_id = values.get("client_order_id", "c-1")
    defaults = {"venue_order_id": f"v-{order_id}", "accepted_at": desk.risk_account.created_at}
    return make_order(desk, OrderStatus.ACCEPTED, **{**defaults, "reserved": Decimal(1900), **values})


def replace(client: Any, order: Order, body: object) -> Any:
    return client.patch(f"{URL}/{order.id}", body, format="json")


def cancel(client: Any, order: Order, **headers: str) -> Any:
    return client.post(f"{URL}/{order.id}/cancel", headers=headers)


def admin(tenant: Tenant) -> APIClient:
    make_member(tenant, "olga", "owner")
    return signed_in("olga")


def junior(tenant: Tenant) -> str:
    with tenant_scope(tenant.id):
        return f"/api/v1/roles/{TenantRole.objects.get(slug='junior').id}"
