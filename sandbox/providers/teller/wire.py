"""Write Teller's objects and errors as https://teller.io/docs/api shows them.

Not documented there, hence our reading: the codes of 401, 403, 404 without an enrolment error, 429 and 502,
and the body of an invalid query (400 `bad_request`).
"""

import json
from typing import Any

from aiohttp import web

from sandbox.providers.teller.enrollment import PROFILES, Account, Enrollment
from sandbox.providers.teller.rows import money

MISSING_CERTIFICATE = "Missing certificate: Retry request using your Teller client certificate."
ERRORS = {
    400: ("bad_request", "The request was unacceptable."),
    401: ("unauthorized", "An access token is required."),
    403: ("forbidden", "The access token is invalid or was revoked."),
    404: ("not_found", "The requested resource was not found."),
    410: ("account.closed", "The account is closed."),
    422: ("unprocessable_entity", "The request body is invalid."),
    429: ("too_many_requests", "The application has exceeded its rate limit."),
    502: ("bad_gateway", "The financial institution is unavailable."),
}
REASONS = {
    "": "The enrollment is disconnected.",
    "account_locked": "The account is locked.",
    "credentials_invalid": "The credentials are no longer valid.",
    "enrollment_inactive": "The enrollment has become inactive.",
    "user_action.captcha_required": "User must solve a CAPTCHA.",
    "user_action.contact_information_required": "User must update their contact information.",
    "user_action.insufficient_permissions": "User does not have the required permissions.",
    "user_action.mfa_required": "User MFA is required.",
    "user_action.web_login_required": "User must log in to online banking.",
}


def base_of(request: web.Request) -> str:
    """Return the URL that links begin with: the one that the request was sent to."""
    return f"{request.url.origin()}/teller"


def answer(text: str) -> web.Response:
    """Return a JSON answer from text that is already JSON."""
    return web.Response(body=text.encode(), content_type="application/json", charset="utf-8")


def error(status: int, code: str | None = None, message: str | None = None) -> web.Response:
    """Return an answer in Teller's error shape."""
    usual = ERRORS.get(status, ("internal_server_error" if status >= 500 else "bad_request", "The request failed."))
    body = {"error": {"code": code or usual[0], "message": message or usual[1]}}
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json", charset="utf-8")


def disconnected(reason: str) -> web.Response:
    """Return the documented 404 for an enrolment that needs its user."""
    return error(404, dotted("enrollment.disconnected", reason), REASONS[reason])


def dotted(stem: str, reason: str) -> str:
    """Return a code with its reason appended."""
    return f"{stem}.{reason}" if reason else stem


def account_object(enrollment: Enrollment, account: Account, base: str) -> dict[str, Any]:
    """Return an account; a credit card has no `details` link, as in the documentation."""
    name, kind, subtype = PROFILES[account.kind]
    url = f"{base}/accounts/{account.id}"
    links = {"self": url, "balances": f"{url}/balances", "transactions": f"{url}/transactions"}
    if kind == "depository":
        links["details"] = f"{url}/details"
    return {
        "id": account.id,
        "enrollment_id": enrollment.id,
        "name": name,
        "type": kind,
        "subtype": subtype,
        "currency": "USD",
        "last_four": account.last_four,
        "status": account.status,
        "institution": {"id": enrollment.institution[0], "name": enrollment.institution[1]},
        "links": links,
    }


def balances_object(account: Account, base: str) -> dict[str, Any]:
    """Return the balances: ledger, and ledger net of pending rows."""
    url = f"{base}/accounts/{account.id}"
    return {
        "account_id": account.id,
        "ledger": money(account.book.ledger),
        "available": money(account.book.available),
        "links": {"self": f"{url}/balances", "account": url},
    }


def details_object(enrollment: Enrollment, account: Account, base: str) -> dict[str, Any]:
    """Return account and routing numbers."""
    url = f"{base}/accounts/{account.id}"
    return {
        "account_id": account.id,
        "account_number": account.number,
        "routing_numbers": {"ach": enrollment.institution[2]},
        "links": {"self": f"{url}/details", "account": url},
    }
