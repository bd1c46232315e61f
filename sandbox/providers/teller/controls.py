"""Steer the Teller twin from tests, under `/_control/teller`.

| endpoint                | body                                                        | does               |
|-------------------------|-------------------------------------------------------------|--------------------|
| `POST /transactions`    | token, account_id, op, transaction_id, new_id, row fields   | see below          |
| `GET /state?token=`     |                                                             | the complete truth |
| `POST /enrollment`      | token, status (active, disconnected, revoked), reason       | 404, 403 from then |
| `POST /account`         | token, account_id, status (open, closed)                    | 410 when closed    |
| `POST /webhooks`        | url, secret (one or a list), type, payload, age_seconds     | sends one now      |
| `POST /webhooks`        | url, secret, token (optional); no type                      | registers a target |
| `GET, DELETE /webhooks` |                                                             | lists, forgets     |

`op`: "add" (amount required; pending and dated today unless told otherwise; its id may be chosen), "change"
(row fields only), "post" (pending to posted, dated today, under a new id unless `new_id` is false), "remove".
Row fields: amount, date, description, type, category, counterparty, counterparty_type, processing_status;
status on "add".
A row that was steered keeps what the test gave it; a pending one still posts or vanishes in its own time
unless it was added by a test. Nothing comes by itself while `POST /_control/clock` {running: false} holds.
"""

import json
import re
import time
from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.clock import wire_date, wire_time
from sandbox.fields import BadControlInput, Fields
from sandbox.providers.teller import wire
from sandbox.providers.teller.enrollment import Account, Enrollment, wire_id
from sandbox.providers.teller.rows import PENDING, POSTED
from sandbox.providers.teller.webhooks import TYPES, is_loopback

if TYPE_CHECKING:
    from sandbox.providers.teller.twin import Teller

AMOUNT = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,2}))?")
TEXT_FIELDS = ("description", "type", "category", "counterparty", "counterparty_type")
OPS = ("add", "change", "post", "remove")


class TellerControls:
    """Serve the controls."""

    def __init__(self, twin: "Teller") -> None:
        self._twin = twin

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the endpoints, without the `/_control/teller` prefix."""
        yield web.post("/transactions", self.steer_transaction)
        yield web.get("/state", self.get_state)
        yield web.post("/enrollment", self.set_enrollment)
        yield web.post("/account", self.set_account)
        yield web.get("/webhooks", self.list_webhooks)
        yield web.post("/webhooks", self.send_webhook)
        yield web.delete("/webhooks", self.forget_targets)

    async def steer_transaction(self, request: web.Request) -> web.Response:
        """Add, change, post or remove one transaction; answer with the row as it is now, null if removed."""
        fields = await Fields.of(request)
        enrollment, account = self._account(fields)
        op = fields.text("op", choices=OPS)
        known = fields.find_text("transaction_id")
        new_id = fields.flag("new_id", default=True) if op == "post" else False
        values = _row_fields(fields, op)
        fields.finish()
        _check(account, op, known)
        fresh = wire_id("txn", self._twin.world.seed, account.id, "steered", self._twin.world.journal.count)
        shown_id = fresh if new_id else known or fresh
        args = {
            "token": enrollment.token,
            "account_id": account.id,
            "op": op,
            "transaction_id": known or fresh,
            "new_id": fresh if new_id else None,
            "fields": values,
        }
        if op == "post":
            values.setdefault("date", _today())
        self._twin.commit("transaction", args)
        now = account.book.find(shown_id)
        shown = json.loads(account.book.render_one(now, wire.base_of(request))) if now else None
        return web.json_response({"transaction": shown, "previous_id": known})

    async def get_state(self, request: web.Request) -> web.Response:
        """Return everything about an enrolment, whatever its status, as the wire shows it."""
        fields = Fields.of_query(request)
        enrollment = self._enrollment(fields)
        fields.finish()
        base = wire.base_of(request)
        accounts = [account for account in enrollment.accounts.values() if account.authorized]
        head = {
            "token": enrollment.token,
            "enrollment_id": enrollment.id,
            "status": enrollment.status,
            "reason": enrollment.reason,
            "virtual_now": wire_time(self._twin.world.now()),
            "accounts": [wire.account_object(enrollment, account, base) for account in accounts],
            "balances": {account.id: wire.balances_object(account, base) for account in accounts},
        }
        rows = ",".join(f'"{account.id}":{account.book.render(account.book.listing(), base)}' for account in accounts)
        return wire.answer(f'{json.dumps(head)[:-1]},"transactions":{{{rows}}}}}')

    async def set_enrollment(self, request: web.Request) -> web.Response:
        """Connect, disconnect or revoke an enrolment."""
        fields = await Fields.of(request)
        enrollment = self._enrollment(fields)
        status = fields.text("status", choices=("active", "disconnected", "revoked"))
        reason = fields.find_text("reason", choices=tuple(wire.REASONS)) or ""
        fields.finish()
        if reason and status != "disconnected":
            raise BadControlInput("reason", "Only a disconnected enrollment has a reason.")
        self._twin.commit("status", {"token": enrollment.token, "status": status, "reason": reason})
        if status == "disconnected":
            payload = {"enrollment_id": enrollment.id, "reason": wire.dotted("disconnected", reason)}
            self._twin.webhooks.disconnected(enrollment.token, payload)
        return web.json_response({"enrollment_id": enrollment.id, "status": status, "reason": reason})

    async def set_account(self, request: web.Request) -> web.Response:
        """Close or open an account."""
        fields = await Fields.of(request)
        enrollment, account = self._account(fields)
        status = fields.text("status", choices=("open", "closed"))
        fields.finish()
        self._twin.commit("account", {"token": enrollment.token, "account_id": account.id, "status": status})
        return web.json_response({"account_id": account.id, "status": status})

    async def list_webhooks(self, _: web.Request) -> web.Response:
        """List the targets and the last deliveries to them (since the start of this process)."""
        webhooks = self._twin.webhooks
        targets = [target.as_json() for target in webhooks.targets.values()]
        return web.json_response({"targets": targets, "deliveries": list(webhooks.deliveries)})

    async def send_webhook(self, request: web.Request) -> web.Response:
        """Send one webhook now, or register a target when there is no type."""
        fields = await Fields.of(request)
        url, secrets = fields.text("url"), _secrets(fields)
        if not is_loopback(url):
            raise BadControlInput("url", "Must be an http or https URL of this machine (loopback).")
        type = fields.find_text("type", choices=TYPES)
        if type is None:
            token = self._enrollment(fields).token if fields.find("token") is not None else None
            fields.finish()
            target = {"url": url, "secrets": secrets, "token": token, "base": wire.base_of(request)}
            command = self._twin.commit("target", target)
            return web.json_response(self._twin.webhooks.targets[command.n].as_json(), status=201)
        payload = fields.find("payload")
        age = fields.find_number("age_seconds", low=-86_400, high=86_400) or 0
        fields.finish()
        if payload is not None and not isinstance(payload, dict):
            raise BadControlInput("payload", "Must be an object.")
        sent = await self._twin.webhooks.send(
            url=url, secrets=secrets, type=type, payload=payload or {}, age_seconds=age
        )
        return web.json_response(sent)

    async def forget_targets(self, _: web.Request) -> web.Response:
        """Forget every target."""
        cleared = len(self._twin.webhooks.targets)
        self._twin.commit("targets_cleared", {})
        return web.json_response({"cleared": cleared})

    def _enrollment(self, fields: Fields) -> Enrollment:
        enrollment = self._twin.enrollment(fields.text("token"))
        if enrollment is None:
            raise BadControlInput("token", "Must be of the form test_tkn_<label>.")
        return enrollment

    def _account(self, fields: Fields) -> tuple[Enrollment, Account]:
        enrollment = self._enrollment(fields)
        account = enrollment.accounts.get(fields.text("account_id"))
        if account is None:
            raise BadControlInput("account_id", "The enrollment has no such account.")
        return enrollment, account


def _check(account: Account, op: str, row_id: str | None) -> None:
    """Refuse an operation that its row does not allow."""
    row = account.book.find(row_id) if row_id else None
    if op == "add" and row is not None:
        raise BadControlInput("transaction_id", "There is such a transaction already.")
    if op != "add" and row is None:
        raise BadControlInput("transaction_id", "The account has no such transaction.")
    if op == "post" and row is not None and row.status == POSTED:
        raise BadControlInput("transaction_id", "The transaction is posted already.")


def _row_fields(fields: Fields, op: str) -> dict[str, Any]:
    if op == "remove":
        return {}
    values: dict[str, Any] = {name: fields.find_text(name) for name in TEXT_FIELDS}
    values["processing_status"] = fields.find_text("processing_status", choices=("pending", "complete"))
    values["amount"] = _amount(fields, required=op == "add")
    values["date"] = _date(fields)
    values = {name: value for name, value in values.items() if value is not None}
    if op == "add":
        status = fields.find_text("status", choices=(PENDING, POSTED)) or PENDING
        usual = {
            "date": _today(),
            "description": "SANDBOX TRANSACTION",
            "type": "card_payment",
            "category": "general",
            "counterparty": "SANDBOX",
            "counterparty_type": "organization",
        }
        return {**usual, "status": status, **values}
    return values


def _amount(fields: Fields, *, required: bool) -> int | None:
    text = fields.text("amount") if required else fields.find_text("amount")
    if text is None:
        return None
    match = AMOUNT.fullmatch(text)
    if match is None:
        raise BadControlInput("amount", 'Must be a decimal string with at most two places, such as "-12.30".')
    sign, whole, rest = match.groups(default="")
    return (-1 if sign else 1) * (int(whole) * 100 + int(rest.ljust(2, "0")))


def _date(fields: Fields) -> str | None:
    text = fields.find_text("date")
    try:
        if text is not None and date.fromisoformat(text).isoformat() != text:
            raise ValueError(text)
    except ValueError:
        raise BadControlInput("date", "Must be a date of the form YYYY-MM-DD.") from None
    if text is not None and text > _today():
        raise BadControlInput("date", "Must not lie in the future.")
    return text


def _secrets(fields: Fields) -> list[str]:
    value = fields.find("secret")
    secrets = value if isinstance(value, list) else [value]
    if not secrets or not all(isinstance(secret, str) and secret for secret in secrets):
        raise BadControlInput("secret", "Required: a non-empty string, or a list of them.")
    return secrets


def _today() -> str:
    return wire_date(time.time())
