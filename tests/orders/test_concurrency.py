"""Many submitters at once, each with a connection of its own, never get more through than a limit lets."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from apps.core.ids import new_id
from apps.core.scope import tenant_scope
from apps.jobs.models import Job
from apps.orders.models import Order, RiskAccount
from tests.conftest import client_for
from tests.factories.market import make_listing, make_quote
from tests.factories.orders import Desk, make_desk
from tests.factories.tenants import make_api_key
from tests.threads import at_once

pytestmark = pytest.mark.commits

URL = "/api/v1/orders"
SUBMITTERS = 20
COST = Decimal(1900)  # of ten at 190

Outcomes = Counter[str]


def until_it_is_answered(post: Callable[[], Any]) -> Any:
    """Repeat what was refused for having waited too long behind the others, as a client does: with the same key."""
    for _again in range(20):
        answer = post()
        if answer.status_code not in (409, 503):
            break
    return answer


def submit_all(
    desk: Desk, *, submitters: int = SUBMITTERS, key_of: Callable[[int], str] = lambda _n: str(new_id()), **body: Any
) -> list[Any]:
    """Post one order from each submitter, all at the same moment; return the answers."""
    secret = make_api_key(desk.tenant, "trader")

    def submit(number: int) -> Any:
        order = {
            "account_id": str(desk.account.id),
            "instrument": desk.listing.instrument.key,
            "side": "buy",
            "type": "limit",
            "quantity": "10",
            "limit_price": "190",
            **{name: value(number) if callable(value) else value for name, value in body.items()},
        }
        client, headers = client_for(secret), {"Idempotency-Key": key_of(number)}
        return until_it_is_answered(lambda: client.post(URL, order, format="json", headers=headers))

    return at_once(submit, range(submitters))


def outcomes(answers: list[Any]) -> Outcomes:
    """Count what the gate said, having seen that every answer is the stored order's."""
    assert {answer.status_code for answer in answers} == {201}
    return Counter(answer.json()["denial"]["code"] if answer.json()["denial"] else "approved" for answer in answers)


def reserved(desk: Desk) -> Decimal:
    """Return what is reserved, having seen that each approved order has its job and no other has one."""
    with tenant_scope(desk.tenant.id):
        orders = list(Order.objects.all())
        approved = {str(order.id) for order in orders if order.status == "approved"}
        assert {job.payload["order_id"] for job in Job.objects.filter(queue="orders")} == approved
        return sum((order.reserved for order in orders), Decimal(0))


@pytest.mark.parametrize("submitters", [SUBMITTERS, pytest.param(50, marks=pytest.mark.prove)])
@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"max_position_value": COST * 7}, "position_limit"),
        ({"max_concentration": COST * 7 / 100_000}, "concentration_limit"),
        ({"buying_power": COST * 7, "max_concentration": Decimal(10)}, "insufficient_buying_power"),
        ({"max_orders_per_minute": 7, "max_concentration": Decimal(10)}, "order_rate_limit"),
    ],
)
def test_exactly_as_many_as_the_limit_lets_pass(acme, limits: dict[str, Any], code: str, submitters: int):
    plenty = {"max_orders_per_minute": 1000, "max_position_value": Decimal(10**6)}
    desk = make_desk(acme, ask="190", **{**plenty, **limits})
    assert outcomes(submit_all(desk, submitters=submitters)) == {"approved": 7, code: submitters - 7}
    assert reserved(desk) == COST * 7


def test_open_trades(acme):
    """Each submitter wants another instrument; as many as the limit says get theirs."""
    desk = make_desk(acme, max_open_trades=3, max_orders_per_minute=1000)
    keys = [f"XNYS:S{number}" for number in range(SUBMITTERS)]
    for key in keys:
        make_quote(make_listing(key))
    answers = submit_all(desk, instrument=lambda number: keys[number])
    assert outcomes(answers) == {"approved": 3, "open_trade_limit": SUBMITTERS - 3}
    assert reserved(desk) == COST * 3


def test_the_rate_is_counted_once_for_each_that_passes(acme):
    desk = make_desk(acme, ask="190", max_orders_per_minute=1000, max_position_value=COST * 5)
    with tenant_scope(acme.id):
        assert RiskAccount.objects.get().rate_reset_at is None
    submit_all(desk)
    with tenant_scope(acme.id):
        row = RiskAccount.objects.get()
        last = Order.objects.filter(status="approved").order_by("-created_at").first()
    assert row.rate_reset_at is not None and last is not None
    assert 0.06 <= (row.rate_reset_at - last.created_at).total_seconds() <= 5 * 0.06


def test_one_key_makes_one_order(acme):
    desk = make_desk(acme)
    answers = submit_all(desk, submitters=50, key_of=lambda _n: "the-same")
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum(answer.get("Idempotency-Replayed") != "true" for answer in answers) == 1
    assert reserved(desk) == COST
