"""What time does to an enrolment: rows come as pending, post (most under a new id), change and vanish."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.sandbox.conftest import Bank, BankClient
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.no_database
HOUR, DAY = 3_600, 86_400


def by_id(client: BankClient) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for rows in client.state()["transactions"].values() for row in rows}


@pytest.fixture
def client(own_sandbox: SandboxProcess, own_bank: Bank) -> BankClient:
    """An enrolment in a sandbox whose clock moves by advances alone."""
    own_sandbox.control("POST", "/clock", running=False)
    return own_bank("life")


def test_nothing_happens_while_the_clock_is_held(client: BankClient) -> None:
    assert by_id(client) == by_id(client)
    client.process.advance(0)
    assert len(by_id(client)) > 500


def test_any_day_brings_new_rows_to_checking_savings_and_card(client: BankClient) -> None:
    for _ in range(7):
        before = by_id(client)
        client.process.advance(DAY)
        touched = {row["account_id"] for row in by_id(client).values() if row["id"] not in before}
        assert touched >= {client.account(subtype) for subtype in ("checking", "savings", "credit_card")}


def test_pending_rows_end_in_every_way_within_two_days(client: BankClient) -> None:
    ends: Counter[str] = Counter()
    pending: dict[str, Any] = {}
    for _ in range(30):
        client.process.advance(12 * HOUR)
        now = by_id(client)
        for row_id, row in pending.items():
            ended = now.get(row_id)
            if ended is None:
                ends["new id or gone"] += 1
            elif ended["status"] == "posted":
                ends["same id"] += 1
                ends["same id, other amount"] += ended["amount"] != row["amount"]
        pending = {row_id: row for row_id, row in now.items() if row["status"] == "pending"}
        assert 0 < len(pending) < 25
    assert ends["new id or gone"] > ends["same id"] > 10
    assert ends["same id, other amount"] > 0


def test_posted_rows_keep_their_place_their_balance_and_their_date(client: BankClient) -> None:
    account = client.account("credit_card")
    shown: list[dict[str, Any]] = []
    for hours in (0, 1, 5, 30, 24 * 9, 24 * 40, 3):
        client.process.advance(hours * HOUR)
        posted = [row for row in client.rows(account) if row["status"] == "posted"][::-1]
        assert posted[: len(shown)] == shown
        shown = posted
    assert len(shown) > 400


def test_dates_stay_on_the_real_calendar_however_far_the_clock_goes(client: BankClient) -> None:
    today = datetime.now(UTC).date().isoformat()
    client.process.advance(90 * DAY)
    rows = client.rows(client.account())
    assert rows[0]["date"] <= datetime.now(UTC).date().isoformat()
    assert sum(row["date"] >= today for row in rows) > 150
    dates = [row["date"] for row in rows]
    assert dates == sorted(dates, reverse=True)


def test_enrichment_comes_after_half_an_hour(client: BankClient) -> None:
    for _ in range(48):
        client.process.advance(HOUR // 2)
        fresh = [row for row in by_id(client).values() if row["details"]["processing_status"] == "pending"]
        if fresh:
            break
    (first, *_) = fresh
    assert first["status"] == "pending"
    assert first["details"]["category"] is None
    assert first["details"]["counterparty"] == {"name": None, "type": None}
    client.process.advance(HOUR // 2)
    enriched = by_id(client)[first["id"]]
    assert enriched["details"]["processing_status"] == "complete"
    assert enriched["details"]["category"] is not None
