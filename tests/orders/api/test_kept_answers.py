"""What clients were told of orders is what `orders.answers` expects of it, whichever route told it."""

from typing import Any

import pytest

from apps.core.ids import new_id
from apps.orders.enums import OrderStatus
from tests import databases
from tests.factories.orders import make_desk, make_order
from tests.orders.intake import URL, body_of, post
from tests.tampering import found, looked_at, tamper


def key() -> dict[str, str]:
    return {"Idempotency-Key": new_id().hex}


@pytest.mark.commits
def test_every_answer_shows_the_order_as_its_event_told_it(acme, acme_trader: Any, database: str) -> None:
    desk = make_desk(acme)
    placed = post(acme_trader, body_of(desk))
    denied = post(acme_trader, body_of(desk, quantity="100000"))
    assert [answer.json()["status"] for answer in (placed, denied)] == ["approved", "denied"]
    old = make_order(desk, OrderStatus.ACCEPTED, venue_order_id="v-1")
    replaced = acme_trader.patch(f"{URL}/{old.id}", {"limit_price": "191"}, format="json", headers=key())
    other = make_order(desk, OrderStatus.ACCEPTED, venue_order_id="v-2")
    cancels = [acme_trader.post(f"{URL}/{other.id}/cancel", headers=key()) for _ in range(2)]
    assert [answer.status_code for answer in (replaced, *cancels)] == [200, 202, 202]

    databases.log_in("worker", database)
    assert looked_at("orders.answers") == 5
    told, altered = (f'"limit_price":"{price}"'.encode() for price in (191, 192))
    tamper(
        "UPDATE idempotency_record SET body = overlay(body PLACING %s FROM position(%s IN body)) "
        "WHERE position(%s IN body) > 0",
        altered,
        told,
        told,
    )
    [(table, _row, expected, there)] = found("orders.answers")
    assert (table, expected, there) == ("idempotency_record", "limit_price 191", "limit_price 192")
