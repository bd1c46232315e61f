"""POST /orders: what is answered, and when nothing is done."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.accounts.models import Account
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import tenant_scope, write_scope
from apps.orders.enums import OrderStatus
from apps.orders.models import Order, RiskAccount, RiskDecision
from apps.orders.services.accounts import ensure_risk_account
from apps.tenants.services import engage_read_only
from tests.conftest import client_for
from tests.factories.orders import Desk, make_desk, make_kill_switch, make_order, make_trading_account, set_means
from tests.factories.tenants import make_api_key, make_member
from tests.orders.intake import URL, body_of, post, traces


@pytest.fixture
def desk(acme) -> Desk:
    return make_desk(acme)


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def errors_of(answer: Any) -> dict[str, str]:
    assert problem(answer) == (400, "validation_failed"), answer.content
    found = answer.json()["errors"]
    assert len({error["field"] for error in found}) == len(found), "one error per field"
    return {error["field"]: error["code"] for error in found}


def test_an_approved_order(desk: Desk, acme_trader):
    answer = post(acme_trader, body_of(desk))
    order = answer.json()
    assert answer.status_code == 201
    assert UUID(order["id"]).version == 7
    assert order["created_at"] == order["updated_at"]
    assert order == {
        "id": order["id"],
        "client_order_id": order["id"],
        "account_id": str(desk.account.id),
        "instrument": "XNAS:AAPL",
        "side": "buy",
        "type": "limit",
        "quantity": "10",
        "limit_price": "190.25",
        "stop_price": None,
        "time_in_force": "day",
        "mode": "paper",
        "status": "approved",
        "pending": "none",
        "filled_quantity": "0",
        "average_fill_price": None,
        "venue_order_id": None,
        "denial": None,
        "replaces": None,
        "reserved": "1902.5",
        "submitted_at": None,
        "accepted_at": None,
        "closed_at": None,
        "version": 1,
        "created_at": order["created_at"],
        "updated_at": order["created_at"],
    }
    assert (answer["ETag"], answer["Location"]) == ('"1"', f"{URL}/{order['id']}")
    assert (answer["Content-Type"], answer["Cache-Control"]) == ("application/json", "no-store")
    assert acme_trader.get(answer["Location"]).content == answer.content


def test_every_parameter_is_taken(desk: Desk, acme_trader):
    terms = {
        "side": "sell",
        "type": "stop_limit",
        "quantity": "3",
        "limit_price": "150.5",
        "stop_price": "151",
        "time_in_force": "gtc",
        "client_order_id": "mine~1",
    }
    order = post(acme_trader, body_of(desk, **terms)).json()
    assert {name: order[name] for name in terms} == terms
    assert order["status"] == "approved"


def test_a_denied_order_is_an_order(desk: Desk, acme, acme_trader):
    answer = post(acme_trader, body_of(desk, quantity="1000"))
    order = answer.json()
    assert answer.status_code == 201
    assert (order["status"], order["reserved"], order["closed_at"]) == ("denied", "0", order["created_at"])
    assert order["denial"] == {
        "code": "position_limit",
        "detail": "The position could reach 190250; the limit is 100000.",
    }
    assert traces(acme.id) == {"orders": 1, "order_events": 1, "decisions": 1, "leaves": 1, "events": 1, "answers": 1}
    with tenant_scope(acme.id):
        assert RiskAccount.objects.get().rate_reset_at is None, "what is denied does not count"


def test_a_kill_switch_denies_without_asking_anybody(desk: Desk, acme_trader):
    make_kill_switch(desk, engaged=True, reason="year-end", of_account=False)
    with write_scope(desk.actor):
        RiskAccount.objects.update(means_as_of=None)
    assert post(acme_trader, body_of(desk)).json()["denial"] == {
        "code": "kill_switch_engaged",
        "detail": "A kill switch is engaged (tenant: year-end).",
    }


def test_the_first_answer_again_byte_for_byte(desk: Desk, acme, acme_trader):
    first = post(acme_trader, body_of(desk), key="k")
    before = traces(acme.id)
    make_kill_switch(desk, engaged=True)
    spaced = b'{ "limit_price":"190.25","type":"limit", "side" : "buy","quantity":"10","instrument":"XNAS:AAPL",'
    spaced += b'"account_id":"' + str(desk.account.id).encode() + b'"}'
    for body in (None, spaced):
        again = (
            post(acme_trader, body_of(desk), key="k")
            if body is None
            else acme_trader.generic("POST", URL, body, "application/json", headers={"Idempotency-Key": "k"})
        )
        assert (again.status_code, again.content) == (201, first.content)
        assert (again["ETag"], again["Location"]) == (first["ETag"], first["Location"])
        assert (first.get("Idempotency-Replayed"), again["Idempotency-Replayed"]) == (None, "true")
    assert traces(acme.id) == before


def test_another_request_under_the_key(desk: Desk, acme, acme_trader):
    post(acme_trader, body_of(desk), key="k")
    before = traces(acme.id)
    others = [body_of(desk, quantity="11"), body_of(desk, surprise=1), {}, body_of(desk, account_id=str(uuid4()))]
    assert [problem(post(acme_trader, other, key="k")) for other in others] == [(422, "idempotency_key_reused")] * 4
    assert traces(acme.id) == before


def test_the_key_is_required(desk: Desk, acme, acme_trader):
    answer = acme_trader.post(URL, body_of(desk), format="json")
    assert problem(answer) == (400, "idempotency_key_required")
    assert problem(post(acme_trader, body_of(desk), key="ключ")) == (400, "idempotency_key_invalid")
    assert traces(acme.id)["orders"] == 0


def test_a_refusal_leaves_the_key_free(desk: Desk, acme_trader):
    assert errors_of(post(acme_trader, body_of(desk, quantity="0"), key="k")) == {"quantity": "not_positive"}
    assert problem(post(acme_trader, body_of(desk, account_id=str(uuid4())), key="k")) == (404, "not_found")
    assert post(acme_trader, body_of(desk), key="k").status_code == 201


def test_a_client_order_id_is_taken_once(desk: Desk, acme, acme_trader):
    assert post(acme_trader, body_of(desk, client_order_id="mine"), key="a").status_code == 201
    before = traces(acme.id)
    refused = post(acme_trader, body_of(desk, client_order_id="mine"), key="b")
    assert problem(refused) == (409, "client_order_id_taken")
    assert traces(acme.id) == before
    again = post(acme_trader, body_of(desk, client_order_id="mine"), key="b")
    assert (again.status_code, again.content, again["Idempotency-Replayed"]) == (409, refused.content, "true")


def test_another_tenant_may_use_the_same_client_order_id(desk: Desk, acme_trader, globex, globex_admin):
    theirs = make_desk(globex, key_id="PKGLOBEX")
    assert post(acme_trader, body_of(desk, client_order_id="mine")).status_code == 201
    assert post(globex_admin, body_of(theirs, client_order_id="mine")).status_code == 201


def test_the_account_may_be_left_out_while_it_is_the_only_one(desk: Desk, acme, acme_trader):
    body = body_of(desk, account_id=None)
    assert post(acme_trader, body).json()["account_id"] == str(desk.account.id)
    second = make_trading_account(acme, key_id="PKSECOND")
    assert errors_of(post(acme_trader, body)) == {"account_id": "required"}
    with write_scope(desk.actor):
        Account.objects.filter(id=second.id).update(status="closed")
    assert post(acme_trader, body).json()["account_id"] == str(desk.account.id)


def test_what_is_not_ours_is_not_there(desk: Desk, acme, globex, globex_admin):
    before = traces(acme.id)
    for account in (str(desk.account.id), str(uuid4())):
        for body in (body_of(desk, account_id=account), {"account_id": account, "quantity": "nonsense"}):
            assert problem(post(globex_admin, body)) == (404, "not_found")
    assert (traces(acme.id), traces(globex.id)["orders"]) == (before, 0)


def test_all_errors_at_once(desk: Desk, acme, acme_trader):
    answer = post(acme_trader, {"account_id": str(desk.account.id), "side": "hold", "quantity": 5, "surprise": None})
    assert errors_of(answer) == {
        "instrument": "required",
        "side": "invalid",
        "type": "required",
        "quantity": "invalid",
        "surprise": "unknown_field",
    }
    terms = {"limit_price": "190.001", "stop_price": "1", "quantity": "0.5", "time_in_force": "ioc"}
    assert errors_of(post(acme_trader, body_of(desk, **terms))) == {
        "quantity": "off_increment",
        "limit_price": "off_increment",
        "stop_price": "not_allowed",
        "time_in_force": "not_allowed",
    }
    assert traces(acme.id)["decisions"] == 0


def test_an_instrument_that_nobody_lists(desk: Desk, acme, acme_trader):
    answer = post(acme_trader, body_of(desk, instrument="XNAS:NOPE", limit_price=None, quantity="0.12345678901"))
    assert errors_of(answer) == {
        "instrument": "unknown_instrument",
        "quantity": "too_precise",
        "limit_price": "required",
    }
    assert traces(acme.id)["decisions"] == 0


@pytest.mark.parametrize("mode", ["test", "live"])
def test_a_test_key_reaches_paper_accounts_only(mode: str, acme):
    paper = make_desk(acme)
    account = make_trading_account(acme, key_id="PKLIVEDESK", mode="live")
    risk_account = ensure_risk_account(account_id=account.id, actor=paper.actor, now=clock.now())
    live = replace(paper, account=account, risk_account=risk_account)
    set_means(live)
    client = client_for(make_api_key(acme, "trader", mode=mode))
    answers = [post(client, body_of(live)), post(client, body_of(live, quantity="x"))]
    if mode == "live":
        assert [answer.status_code for answer in answers] == [201, 400]
        assert answers[0].json()["mode"] == "live"
        return
    assert [problem(answer) for answer in answers] == [(403, "live_account_refused")] * 2
    assert traces(acme.id)["decisions"] == 0


def test_a_test_key_does_not_prepare_a_live_account(acme, acme_trader):
    account = make_trading_account(acme, key_id="PKLIVEDESK", mode="live")
    make_desk(acme)
    body = {"account_id": str(account.id), "instrument": "XNAS:AAPL", "side": "buy", "type": "market", "quantity": "1"}
    assert problem(post(acme_trader, body)) == (403, "live_account_refused")
    with tenant_scope(acme.id):
        assert not RiskAccount.objects.filter(account=account).exists()


def test_an_account_that_cannot_trade(desk: Desk, acme, acme_trader):
    with write_scope(desk.actor):
        Account.objects.update(status="needs_attention")
    refused = post(acme_trader, body_of(desk), key="k")
    assert problem(refused) == (409, "account_not_tradable")
    assert post(acme_trader, body_of(desk), key="k").content == refused.content
    assert traces(acme.id)["decisions"] == 0


def test_nothing_is_ordered_while_writing_is_switched_off(desk: Desk, acme, acme_trader):
    staff = system_actor("tests")
    engage_read_only(tenant_id=acme.id, reason="closing the books", actor=staff, now=clock.now())
    for body in (body_of(desk), body_of(desk, quantity="x")):
        assert problem(post(acme_trader, body, key="k")) == (503, "read_only")
    assert sum(traces(acme.id).values()) == 0


def test_a_dry_run_decides_and_orders_nothing(desk: Desk, acme, acme_trader):
    answer = post(acme_trader, body_of(desk, dry_run=True), key="k")
    run = answer.json()
    assert (answer.status_code, run["outcome"], run["denial"], run["cost"]) == (200, "approved", None, "1902.5")
    assert [check["check"] for check in run["checks"]][:3] == ["clock", "kill_switch", "price"]
    assert {check["code"] for check in run["checks"]} == {None}
    assert traces(acme.id) == {"decisions": 1}
    with tenant_scope(acme.id):
        decision, risk_account = RiskDecision.objects.get(), RiskAccount.objects.get()
    assert (decision.order_id, decision.outcome) == (None, "approved")
    assert risk_account.rate_reset_at is None
    assert post(acme_trader, body_of(desk, dry_run=True), key="k").content == answer.content
    assert problem(post(acme_trader, body_of(desk), key="k")) == (422, "idempotency_key_reused")


def test_a_dry_run_that_is_denied(desk: Desk, acme, acme_trader):
    run = post(acme_trader, body_of(desk, quantity="1000", dry_run=True)).json()
    assert (run["outcome"], run["denial"]["code"], run["cost"]) == ("denied", "position_limit", "0")
    assert traces(acme.id) == {"decisions": 1}


def test_open_orders_count(desk: Desk, acme_trader):
    """Ten are open, worth 1,900.2 at the ask; of 100,000 in equity 30,000 may be in one instrument."""
    make_order(desk, OrderStatus.ACCEPTED, accepted_at=clock.now())
    assert post(acme_trader, body_of(desk, quantity="148")).json()["denial"] == {
        "code": "concentration_limit",
        "detail": "The position could reach 30057.2, a share of 0.300572 of the equity of 100000; the limit is 0.3.",
    }
    allowed = post(acme_trader, body_of(desk, quantity="147")).json()
    assert (allowed["status"], allowed["reserved"]) == ("approved", "27966.75")


def test_a_member_places_orders_too(desk: Desk, acme, anonymous):
    make_member(acme, "tess", "trader")
    signed_in = anonymous.post(
        "/api/v1/auth/token", {"username": "tess", "password": "correct horse battery"}, format="json"
    )
    answer = post(client_for(signed_in.json()["access"]), body_of(desk))
    with tenant_scope(acme.id):
        decision = RiskDecision.objects.get(order_id=answer.json()["id"])
        assert Order.objects.count() == 1
    assert (answer.status_code, decision.actor["kind"], decision.actor["label"]) == (201, "user", "tess")
