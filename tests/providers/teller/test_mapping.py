"""Teller's recorded objects and errors in our terms, and whatever else it may send."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.providers.adapters.teller.mapping import classify_error, map_account, map_balance, map_transaction
from apps.providers.adapters.teller.webhook import HOOK
from apps.providers.enums import ErrorCategory
from apps.providers.transport import Blame
from apps.providers.types import AccountData, BalanceData, RejectedRow, TransactionData

pytestmark = pytest.mark.no_database

CARD = AccountData(
    external_id="acc_oiin624kqjrg2mp2ea000",
    name="Platinum Card",
    kind="credit",
    subtype="credit_card",
    currency="USD",
    status="open",
)
CHECKING = AccountData(
    external_id="acc_os41qe3a66ks2djhss000",
    name="Checking",
    kind="depository",
    subtype="checking",
    currency="USD",
    status="open",
)
TRANSACTION = {
    "id": "txn_1",
    "account_id": CHECKING.external_id,
    "amount": "-12.30",
    "date": "2026-02-28",
    "status": "posted",
    "description": "Coffee",
    "type": "card_payment",
    "running_balance": "87.70",
    "details": {"category": "dining", "counterparty": {"name": "BLUE HERON", "type": "organization"}},
}


def recording(realdata: Path, name: str) -> Any:
    return json.loads((realdata / "recordings/teller" / f"{name}.json").read_text())


def account_like(account: AccountData, external_id: str) -> AccountData:
    return AccountData(external_id=external_id, name="", kind=account.kind, subtype="", currency="USD", status="open")


class TestRecordings:
    """Every Teller recording that there is."""

    def test_every_recording_is_known_here(self, realdata):
        assert sorted(path.stem for path in (realdata / "recordings/teller").iterdir()) == [
            "docs_accounts_list",
            "docs_balances",
            "docs_error_bodies",
            "docs_transactions_list_pending",
            "docs_webhook_enrollment_disconnected",
            "midday_account_transform_accounts",
            "midday_transaction_transform_credit_card_cashback_should_be_income_credit",
            "midday_transaction_transform_credit_card_payment_received_should_be_credit_card_payment_n_credit",
            "midday_transaction_transform_income_transaction_depository",
            "midday_transaction_transform_pending_transaction_depository",
        ]

    def test_account(self, realdata):
        assert [map_account(raw) for raw in recording(realdata, "docs_accounts_list")] == [
            AccountData(
                external_id="acc_oiin624kqjrg2mp2ea000",
                name="Platinum Card",
                kind="credit",
                subtype="credit_card",
                currency="USD",
                status="open",
                last_four="7857",
                institution_name="Security Credit Union",
            )
        ]

    def test_account_with_a_member_that_is_not_tellers(self, realdata):
        account = map_account(recording(realdata, "midday_account_transform_accounts"))
        assert isinstance(account, AccountData)
        assert (account.external_id, account.kind) == ("acc_os557c2mge29shubl2000", "credit")
        assert (account.institution_name, account.last_four) == ("Mercury", "6587")

    def test_balance(self, realdata):
        account = account_like(CHECKING, "acc_oiin624iajrg2mp2ea000")
        assert map_balance(recording(realdata, "docs_balances"), account) == BalanceData(
            external_id="acc_oiin624iajrg2mp2ea000",
            currency="USD",
            current=Decimal("28575.02"),
            available=Decimal("28575.02"),
        )

    def test_pending_charge_on_a_card_is_money_out(self, realdata):
        [raw] = recording(realdata, "docs_transactions_list_pending")
        assert map_transaction(raw, CARD) == TransactionData(
            external_id="txn_oiluj93igokseo0i3a000",
            amount=Decimal("-86.46"),
            currency="USD",
            date=date(2023, 7, 15),
            status="pending",
            description="Transfer to Checking",
            counterparty="YOURSELF",
            category="general",
        )

    @pytest.mark.parametrize(
        ("name", "kind", "amount", "status"),
        [
            ("credit_card_cashback_should_be_income_credit", "credit", "25.00", "posted"),
            (
                "credit_card_payment_received_should_be_credit_card_payment_n_credit",
                "credit",
                "200.00",
                "posted",
            ),
            ("income_transaction_depository", "depository", "1000000", "posted"),
            ("pending_transaction_depository", "depository", "-83.62", "pending"),
        ],
    )
    def test_signs(self, realdata, name, kind, amount, status):
        raw = recording(realdata, f"midday_transaction_transform_{name}")
        account = account_like(CARD if kind == "credit" else CHECKING, raw["account_id"])
        row = map_transaction(raw, account)
        assert isinstance(row, TransactionData)
        assert (row.amount, row.status) == (Decimal(amount), status)

    def test_error_bodies(self, realdata):
        certificate, disconnected = (
            classify_error(item["status"], item["body"]) for item in recording(realdata, "docs_error_bodies")
        )
        assert (certificate.category, certificate.code) == (ErrorCategory.PERMANENT, "client_certificate_missing")
        assert disconnected.category is ErrorCategory.AUTH
        assert disconnected.code == "enrollment.disconnected.user_action.mfa_required"
        assert str(disconnected.message) == (
            "The bank asks its user to confirm the login: reconnect through Teller Connect."
        )

    def test_webhook(self, realdata):
        body = (realdata / "recordings/teller/docs_webhook_enrollment_disconnected.json").read_bytes()
        event = HOOK.parse(body)
        assert (event.type, event.wants) == ("enrollment.disconnected", "sync")
        assert (event.id, event.enrollment_id) == ("wh_oiffb5cocakqmksbkg000", "enr_oiffb5cocakqmksbkg001")


class TestTransactions:
    def test_a_depository_amount_keeps_its_sign(self):
        row = map_transaction(TRANSACTION, CHECKING)
        assert isinstance(row, TransactionData)
        assert row.amount == Decimal("-12.30")

    @pytest.mark.parametrize("amount", ["0.00", "-0.00"])
    @pytest.mark.parametrize("account", [CHECKING, CARD])
    def test_zero_has_no_sign(self, amount, account):
        raw = {**TRANSACTION, "amount": amount, "account_id": account.external_id}
        row = map_transaction(raw, account)
        assert isinstance(row, TransactionData)
        assert str(row.amount) == "0.00"

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"amount": "NaN"}, "matching regex"),
            ({"amount": "1e3"}, "matching regex"),
            ({"amount": "1,000.00"}, "matching regex"),
            ({"amount": "0." + "1" * 19}, "matching regex"),
            ({"amount": "9" * 21}, "matching regex"),
            ({"amount": -12.3}, "Expected `str`"),
            ({"amount": None}, "Expected `str`"),
            ({"date": "2026-02-30"}, "Invalid RFC3339 encoded date"),
            ({"date": None}, "Expected `date`"),
            ({"status": "settled"}, "Invalid enum value 'settled'"),
            ({"id": ""}, "matching regex"),
            ({"id": "a\x00b"}, "matching regex"),
            ({"account_id": "acc_other"}, "It belongs to another account."),
            ({"details": "none"}, "Expected `object | null`"),
        ],
    )
    def test_what_does_not_map_is_rejected_with_a_reason(self, change, reason):
        row = map_transaction({**TRANSACTION, **change}, CHECKING)
        assert isinstance(row, RejectedRow)
        assert reason in row.reason
        assert row.excerpt["description"] == "Coffee"

    @pytest.mark.parametrize("raw", [None, 7, "text", [], {}])
    def test_what_is_not_a_row_at_all_is_rejected(self, raw):
        row = map_transaction(raw, CHECKING)
        assert isinstance(row, RejectedRow)
        assert (row.entity, row.external_id) == ("transaction", "")

    def test_missing_enrichment_is_empty(self):
        raw = {key: TRANSACTION[key] for key in ("id", "account_id", "amount", "date", "status")}
        row = map_transaction(raw, CHECKING)
        assert isinstance(row, TransactionData)
        assert (row.description, row.counterparty, row.category) == ("", "", "")

    def test_text_is_storable_and_bounded(self):
        row = map_transaction({**TRANSACTION, "description": " a\x00b" + "c" * 600}, CHECKING)
        assert isinstance(row, TransactionData)
        assert row.description == "ab" + "c" * 498

    def test_an_excerpt_is_bounded_and_redacted(self):
        raw = {**TRANSACTION, "amount": 1, "access_token": "test_tkn_secret", "long": "x" * 10_000}
        row = map_transaction(raw, CHECKING)
        assert isinstance(row, RejectedRow)
        assert row.excerpt["access_token"] == "[redacted]"
        assert len(row.excerpt["long"]) == 200

    @given(
        amount=st.decimals(min_value=-(10**20) + 1, max_value=10**20 - 1, allow_nan=False, places=18),
        kind=st.sampled_from([CHECKING, CARD]),
    )
    def test_every_storable_amount_survives_exactly(self, amount, kind):
        raw = {**TRANSACTION, "amount": format(amount, "f"), "account_id": kind.external_id}
        row = map_transaction(raw, kind)
        assert isinstance(row, TransactionData)
        assert row.amount == (-amount if kind is CARD else amount)

    @given(
        raw=st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=20),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
            max_leaves=12,
        ),
        member=st.sampled_from(sorted(TRANSACTION)),
    )
    def test_no_row_crashes_the_page(self, raw, member):
        for candidate in (raw, {**TRANSACTION, member: raw}):
            row = map_transaction(candidate, CHECKING)
            assert isinstance(row, TransactionData | RejectedRow)
            if isinstance(row, RejectedRow):
                assert "\\u0000" not in json.dumps(row.excerpt)


class TestAccountsAndBalances:
    ACCOUNT = {"id": "acc_1", "name": "Card", "type": "credit", "currency": "USD", "status": "open"}

    @pytest.mark.parametrize(
        "change", [{"type": "crypto"}, {"currency": "usd"}, {"status": None}, {"id": None}, {"name": 7}]
    )
    def test_an_account_that_does_not_map_is_rejected(self, change):
        row = map_account({**self.ACCOUNT, **change})
        assert isinstance(row, RejectedRow)
        assert row.entity == "account"

    def test_an_account_without_a_name_is_called_by_its_id(self):
        account = map_account({**self.ACCOUNT, "name": " "})
        assert isinstance(account, AccountData)
        assert account.name == "acc_1"

    def test_debt_is_negative(self):
        raw = {"account_id": CARD.external_id, "ledger": "310.00", "available": "290.00"}
        balance = map_balance(raw, CARD)
        assert isinstance(balance, BalanceData)
        assert (balance.current, balance.available) == (Decimal("-310.00"), Decimal("-290.00"))

    @pytest.mark.parametrize(("missing", "kept"), [("ledger", "available"), ("available", "current")])
    def test_one_of_the_two_balances_may_be_absent(self, missing, kept):
        raw = {"account_id": CHECKING.external_id, "ledger": "5.00", "available": "5.00", missing: None}
        balance = map_balance(raw, CHECKING)
        assert isinstance(balance, BalanceData)
        assert getattr(balance, kept) == Decimal("5.00")
        assert {balance.current, balance.available} == {Decimal("5.00"), None}

    @pytest.mark.parametrize(
        "raw", [{"account_id": CHECKING.external_id}, {"account_id": "acc_other", "ledger": "1.00"}, []]
    )
    def test_a_balance_that_does_not_map_is_rejected(self, raw):
        refused = map_balance(raw, CHECKING)
        assert isinstance(refused, RejectedRow)
        assert refused.external_id == CHECKING.external_id  # a balance is known by its account


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "code", "category", "ours", "blame"),
        [
            (401, "unauthorized", ErrorCategory.AUTH, "credentials_refused", Blame.NOBODY),
            (403, "forbidden", ErrorCategory.AUTH, "credentials_refused", Blame.NOBODY),
            (404, "not_found", ErrorCategory.PERMANENT, "not_found", Blame.NOBODY),
            (404, "enrollment.disconnected", ErrorCategory.AUTH, "enrollment.disconnected", Blame.NOBODY),
            (410, "account.closed", ErrorCategory.PERMANENT, "account_closed", Blame.NOBODY),
            (410, "account.closed.no_access", ErrorCategory.PERMANENT, "account_closed", Blame.NOBODY),
            (422, "unprocessable_entity", ErrorCategory.PERMANENT, "request_refused", Blame.NOBODY),
            (429, "too_many_requests", ErrorCategory.THROTTLED, "throttled", Blame.NOBODY),
            (500, "internal_server_error", ErrorCategory.RETRYABLE, "provider_unavailable", Blame.PROVIDER),
            (502, "bad_gateway", ErrorCategory.RETRYABLE, "institution_unavailable", Blame.CONNECTION),
            (503, "", ErrorCategory.RETRYABLE, "provider_unavailable", Blame.PROVIDER),
            (302, "", ErrorCategory.PERMANENT, "redirect_refused", Blame.NOBODY),
        ],
    )
    def test_classification(self, status, code, category, ours, blame):
        verdict = classify_error(status, {"error": {"code": code, "message": "…"}})
        assert (verdict.category, verdict.code, verdict.blame) == (category, ours, blame)

    @pytest.mark.parametrize("body", [None, [], "text", {"error": "text"}, {"error": {"code": 7}}])
    def test_a_strange_body_is_classified_by_its_status(self, body):
        assert classify_error(502, body).code == "institution_unavailable"
        assert classify_error(403, body).category is ErrorCategory.AUTH
