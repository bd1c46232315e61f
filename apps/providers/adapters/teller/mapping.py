"""Teller's objects and errors in our terms: pure functions. Source: https://teller.io/docs/api.

Signs. In a depository account Teller's amounts are ours: negative is money out. In a credit account a positive
amount is a charge, which is money out, and a positive balance is debt: both are negated. The documentation says
only "signed"; the rule shows in its examples and in recorded card accounts (payments and cash back negative).
"""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.providers.adapters.rejection import clean, reject
from apps.providers.enums import ErrorCategory
from apps.providers.transport import Blame, Verdict, default_verdict
from apps.providers.types import AccountData, BalanceData, RejectedRow, TransactionData

# What NUMERIC(38,18) holds, in plain notation: Decimal() alone would take "NaN" and "1e400".
_Amount = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,20}(\.[0-9]{1,18})?$")]
_Id = Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]{1,200}$")]
_LONGEST_TEXT = 500


class _Institution(msgspec.Struct):
    name: str = ""


class _Account(msgspec.Struct):
    id: _Id
    name: str
    type: Literal["depository", "credit"]
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$")]
    status: Literal["open", "closed"]
    subtype: str | None = None
    last_four: str | None = None
    institution: _Institution | None = None


class _Balances(msgspec.Struct):
    account_id: _Id
    ledger: _Amount | None = None
    available: _Amount | None = None


class _Counterparty(msgspec.Struct):
    name: str | None = None


class _Details(msgspec.Struct):
    category: str | None = None
    counterparty: _Counterparty | None = None


class _Transaction(msgspec.Struct):
    id: _Id
    account_id: _Id
    amount: _Amount
    date: date
    status: Literal["posted", "pending"]
    description: str | None = None
    details: _Details | None = None


def map_account(raw: Any) -> AccountData | RejectedRow:
    """Return an account, or why it cannot be one."""
    try:
        account = msgspec.convert(raw, _Account)
    except msgspec.ValidationError as error:
        return reject("account", raw, str(error))
    institution = account.institution or _Institution()
    return AccountData(
        external_id=account.id,
        name=_text(account.name) or account.id,
        kind=account.type,
        subtype=_text(account.subtype),
        currency=account.currency,
        status=account.status,
        last_four=_text(account.last_four),
        institution_name=_text(institution.name),
    )


def map_balance(raw: Any, account: AccountData) -> BalanceData | RejectedRow:
    """Return the account's balance, or why it cannot be one. Teller gives at least one of the two figures."""
    try:
        balances = msgspec.convert(raw, _Balances)
    except msgspec.ValidationError as error:
        return reject("balance", raw, str(error), external_id=account.external_id)
    if balances.account_id != account.external_id:
        return reject("balance", raw, "It belongs to another account.", external_id=account.external_id)
    if balances.ledger is None and balances.available is None:
        return reject(
            "balance", raw, "It has neither a ledger nor an available balance.", external_id=account.external_id
        )
    return BalanceData(
        external_id=account.external_id,
        currency=account.currency,
        current=_signed(balances.ledger, account),
        available=_signed(balances.available, account),
    )


def map_transaction(raw: Any, account: AccountData) -> TransactionData | RejectedRow:
    """Return a transaction in the account's currency and our sign, or why it cannot be one."""
    try:
        row = msgspec.convert(raw, _Transaction)
    except msgspec.ValidationError as error:
        return reject("transaction", raw, str(error))
    if row.account_id != account.external_id:
        return reject("transaction", raw, "It belongs to another account.")
    details = row.details or _Details()
    amount = _signed(row.amount, account)
    assert amount is not None
    return TransactionData(
        external_id=row.id,
        amount=amount,
        currency=account.currency,
        date=row.date,
        status=row.status,
        description=_text(row.description),
        counterparty=_text(details.counterparty.name) if details.counterparty else "",
        category=_text(details.category),
    )


_RECONNECT = _("Ask the account's user to reconnect through Teller Connect, then start a sync.")
_DISCONNECTED: dict[str, str | Promise] = {
    "account_locked": _("The bank has locked the account. Its user must settle that with the bank, then reconnect."),
    "credentials_invalid": _("The user's bank login has changed. Ask them to reconnect through Teller Connect."),
    "enrollment_inactive": _("The enrolment ended because it was not used. Connect again."),
    "user_action.captcha_required": _("The bank asks its user to solve a CAPTCHA: reconnect through Teller Connect."),
    "user_action.contact_information_required": _("The bank asks its user to update their contact information."),
    "user_action.insufficient_permissions": _("The bank user lacks the permission to read these accounts."),
    "user_action.mfa_required": _("The bank asks its user to confirm the login: reconnect through Teller Connect."),
    "user_action.web_login_required": _("The bank asks its user to log in to its website once, then reconnect."),
}


def classify_error(status: int, body: Any) -> Verdict:
    """Classify an error answer of Teller by status and error code.

    A disconnected enrolment comes as 404 `enrollment.disconnected.<reason>`, a closed account as 410
    `account.closed.<reason>`, a missing client certificate as 400, a bank that is away as 502.
    """
    code = _error_code(body)
    if code == "enrollment.disconnected" or code.startswith("enrollment.disconnected."):
        reason = code.removeprefix("enrollment.disconnected").removeprefix(".")
        message = _DISCONNECTED.get(reason, _RECONNECT)
        return Verdict(category=ErrorCategory.AUTH, code=code[:100], message=message)
    if status == 410 or code.startswith("account.closed"):
        message = _("The bank no longer gives access to this account.")
        return Verdict(category=ErrorCategory.PERMANENT, code="account_closed", message=message)
    if status == 400 and "certificate" in _error_message(body).lower():
        # The installation's fault, not the tenant's: no credential of theirs can cure it.
        message = _("This installation's Teller client certificate is missing or refused; its operator must set it.")
        return Verdict(category=ErrorCategory.PERMANENT, code="client_certificate_missing", message=message)
    if status == 404:
        message = _("Teller does not know what was asked for.")
        return Verdict(category=ErrorCategory.PERMANENT, code="not_found", message=message)
    if status == 502:
        message = _("The bank is not available at the moment; the sync is tried again.")
        return Verdict(
            category=ErrorCategory.RETRYABLE, code="institution_unavailable", message=message, blame=Blame.CONNECTION
        )
    return default_verdict(status, body)


def _error_member(body: Any, name: str) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    value = error.get(name) if isinstance(error, dict) else None
    return value if isinstance(value, str) else ""


def _error_code(body: Any) -> str:
    return _error_member(body, "code")


def _error_message(body: Any) -> str:
    return _error_member(body, "message")


def _signed(amount: str | None, account: AccountData) -> Decimal | None:
    if amount is None:
        return None
    # Unary plus and minus both turn a negative zero into zero.
    return -Decimal(amount) if account.kind == "credit" else +Decimal(amount)


def _text(value: str | None) -> str:
    return clean(value or "")[:_LONGEST_TEXT]
