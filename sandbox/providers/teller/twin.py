"""Answer as https://api.teller.io does.

Basic auth with `<access token>:` and an empty password. Every token `test_tkn_<label>` ([A-Za-z0-9_-], up to
64) is an enrolment whose data follow from (seed, label); `test_tkn_bulk<N>` has one checking account with N
posted transactions and nothing happens there by itself. No token is 401, any other 403. With a client CA, a
request without certificate is the documented 400. `Teller-Version` is accepted and changes nothing. `count`
defaults to all transactions, as documented. Links begin with the URL that the request was sent to.
"""

import base64
import binascii
import re
from collections.abc import Coroutine, Iterable
from datetime import date
from typing import Any

from aiohttp import web

from sandbox.journal import Command
from sandbox.providers.base import Provider, Refused
from sandbox.providers.teller import wire
from sandbox.providers.teller.controls import TellerControls
from sandbox.providers.teller.enrollment import Account, Enrollment, enrollment_id, label_of
from sandbox.providers.teller.webhooks import Webhooks
from sandbox.world import World

ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Teller(Provider):
    """Simulate Teller's API; `controls.py` has its test controls, `webhooks.py` what it sends."""

    name = "teller"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._enrollments: dict[str, Enrollment] = {}
        self._commands: dict[str, list[tuple[float, Command]]] = {}
        self.webhooks = Webhooks(self)

    def routes(self) -> Iterable[web.RouteDef]:
        """Return Teller's endpoints."""
        account = "/accounts/{account_id}"
        yield web.get("/accounts", self.list_accounts)
        yield web.delete("/accounts", self.delete_accounts)
        yield web.get(account, self.get_account)
        yield web.delete(account, self.delete_account)
        yield web.get(f"{account}/details", self.get_details)
        yield web.get(f"{account}/balances", self.get_balances)
        yield web.get(f"{account}/transactions", self.list_transactions)
        yield web.get(f"{account}/transactions/{{transaction_id}}", self.get_transaction)

    def control_routes(self) -> Iterable[web.RouteDef]:
        """Return the test controls."""
        return TellerControls(self).routes()

    def background(self) -> Coroutine[Any, Any, None]:
        """Send the webhooks that fall due."""
        return self.webhooks.run()

    def known_tokens(self) -> list[str]:
        """Return the tokens that were used or steered."""
        return sorted(self._enrollments.keys() | self._commands.keys())

    def error(self, status: int) -> web.Response:
        """Return Teller's error shape."""
        return wire.error(status)

    def throttled(self) -> web.Response:
        """Return the documented 429; Teller names no Retry-After."""
        return wire.error(429)

    def credentials(self, label: str) -> dict[str, Any]:
        """Return what Teller Connect hands over after an enrolment."""
        return {
            "access_token": f"test_tkn_{label}",
            "enrollment_id": enrollment_id(self.world.seed, label),
        }

    def apply(self, command: Command, *, virtual_at: float) -> None:
        """Take over a command for one enrolment; an enrolment that is not built yet gets it when it is."""
        if command.op in Webhooks.OPS:
            self.webhooks.apply(command, virtual_at=virtual_at)
            return
        token = command.args["token"]
        self._commands.setdefault(token, []).append((virtual_at, command))
        if token in self._enrollments:
            _give(self._enrollments[token], virtual_at, command)

    def enrollment(self, token: str) -> Enrollment | None:
        """Return a token's enrolment as it stands now, or None when the token is not valid."""
        label = label_of(token)
        if label is None:
            return None
        if token not in self._enrollments:
            self._enrollments[token] = self._build(token, label)
        self._enrollments[token].run(self.world.now())
        return self._enrollments[token]

    async def list_accounts(self, request: web.Request) -> web.Response:
        """GET /accounts."""
        enrollment = self._authorize(request)
        accounts = [account for account in enrollment.accounts.values() if account.authorized]
        return web.json_response(
            [wire.account_object(enrollment, account, wire.base_of(request)) for account in accounts]
        )

    async def delete_accounts(self, request: web.Request) -> web.Response:
        """DELETE /accounts: revoke the enrolment."""
        enrollment = self._authorize(request)
        self.commit("status", {"token": enrollment.token, "status": "revoked", "reason": ""})
        return web.Response(status=204)

    async def get_account(self, request: web.Request) -> web.Response:
        """GET /accounts/{id}."""
        enrollment, account = self._account(request)
        return web.json_response(wire.account_object(enrollment, account, wire.base_of(request)))

    async def delete_account(self, request: web.Request) -> web.Response:
        """DELETE /accounts/{id}: give up access to one account."""
        enrollment, account = self._account(request)
        self.commit("account_deleted", {"token": enrollment.token, "account_id": account.id})
        return web.Response(status=204)

    async def get_details(self, request: web.Request) -> web.Response:
        """GET /accounts/{id}/details."""
        enrollment, account = self._account(request)
        if account.type != "depository":
            raise Refused(wire.error(404))
        return web.json_response(wire.details_object(enrollment, account, wire.base_of(request)))

    async def get_balances(self, request: web.Request) -> web.Response:
        """GET /accounts/{id}/balances."""
        _, account = self._account(request)
        return web.json_response(wire.balances_object(account, wire.base_of(request)))

    async def list_transactions(self, request: web.Request) -> web.Response:
        """GET /accounts/{id}/transactions, newest first; after `from_id` come the rows that follow it."""
        _, account = self._account(request)
        rows = account.book.page(
            count=_count(request),
            from_id=request.query.get("from_id"),
            start_date=_date(request, "start_date"),
            end_date=_date(request, "end_date"),
        )
        if rows is None:
            raise Refused(wire.error(404))
        return wire.answer(account.book.render(rows, wire.base_of(request)))

    async def get_transaction(self, request: web.Request) -> web.Response:
        """GET /accounts/{id}/transactions/{id}."""
        _, account = self._account(request)
        row = account.book.find(request.match_info["transaction_id"])
        if row is None:
            raise Refused(wire.error(404))
        return wire.answer(account.book.render_one(row, wire.base_of(request)))

    def _build(self, token: str, label: str) -> Enrollment:
        world = self.world
        enrollment = Enrollment(seed=world.seed, label=label, timeline=world.timeline, genesis=world.journal.genesis)
        for virtual_at, command in self._commands.get(token, []):
            _give(enrollment, virtual_at, command)
        return enrollment

    def _authorize(self, request: web.Request) -> Enrollment:
        if self.world.requires_client_certificate and not _certificate(request):
            raise Refused(wire.error(400, message=wire.MISSING_CERTIFICATE))
        token = _token(request)
        if token is None:
            raise Refused(wire.error(401))
        enrollment = self.enrollment(token)
        if enrollment is None or enrollment.status == "revoked":
            raise Refused(wire.error(403))
        if enrollment.status == "disconnected":
            raise Refused(wire.disconnected(enrollment.reason))
        return enrollment

    def _account(self, request: web.Request) -> tuple[Enrollment, Account]:
        enrollment = self._authorize(request)
        account = enrollment.accounts.get(request.match_info["account_id"])
        if account is None or not account.authorized:
            raise Refused(wire.error(404))
        if account.status == "closed":
            raise Refused(wire.error(410))
        return enrollment, account


def _give(enrollment: Enrollment, virtual_at: float, command: Command) -> None:
    enrollment.run(virtual_at)
    args = {name: value for name, value in command.args.items() if name != "token"}
    enrollment.command(command.op, args, mark=(virtual_at, command.n))


def _certificate(request: web.Request) -> bool:
    return request.transport is not None and bool(request.transport.get_extra_info("peercert"))


def _token(request: web.Request) -> str | None:
    """Return the token of `Authorization: Basic`, "" for one not of the form `<token>:`, None without."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic" or not value:
        return None
    try:
        user, separator, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return user if separator and not password else ""


def _count(request: web.Request) -> int | None:
    value = request.query.get("count")
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and 0 < int(value) <= 10**9):
        raise Refused(wire.error(400, message="count must be a positive integer."))
    return int(value)


def _date(request: web.Request, name: str) -> str | None:
    value = request.query.get(name)
    if value is None:
        return None
    try:
        if not ISO_DATE.fullmatch(value):
            raise ValueError(value)
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise Refused(wire.error(400, message=f"{name} must be an ISO 8601 date.")) from None
