"""Send Teller's webhooks, signed, to loopback URLs only.

`Teller-Signature: t=<unix>,v1=<hex>[,v1=<hex>]` is HMAC-SHA256 over "{t}.{raw body}", one v1 for each secret
(https://teller.io/docs/api/webhooks). Registered targets get `transactions.processed` once rows are enriched
or posted (at most 100 rows each; none while the enrolment is disconnected) and `enrollment.disconnected`. A
delivery is tried three times; `transactions.processed` that a kill interrupts is sent again.
"""

import asyncio
import contextlib
import hmac
import json
import time
from collections import deque
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout

from sandbox.clock import wire_time
from sandbox.journal import Command
from sandbox.providers.teller.enrollment import Mark, wire_id

if TYPE_CHECKING:
    from sandbox.providers.teller.twin import Teller

ROWS_A_WEBHOOK = 100
LOOK_SECONDS = 5.0
RETRY_SECONDS = (1.0, 5.0)
TIMEOUT = ClientTimeout(total=10)
TYPES = (
    "transactions.processed",
    "enrollment.disconnected",
    "account.number_verification.processed",
    "webhook.test",
)


@dataclass(slots=True)
class Target:
    """Hold a registered receiver; `token` None means every enrolment. `told`: how far, by token."""

    id: int
    url: str
    secrets: list[str]
    token: str | None
    base: str
    since: Mark
    told: dict[str, Mark] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the target without its secrets."""
        return {"id": self.id, "url": self.url, "token": self.token}


class Webhooks:
    """Hold the targets and send what falls due."""

    OPS: ClassVar[frozenset[str]] = frozenset({"target", "targets_cleared", "told"})

    def __init__(self, twin: "Teller") -> None:
        self._twin = twin
        self.targets: dict[int, Target] = {}
        self.deliveries: deque[dict[str, Any]] = deque(maxlen=200)
        self._queue: deque[tuple[Target, str, dict[str, Any]]] = deque()

    def apply(self, command: Command, *, virtual_at: float) -> None:
        """Take over a journaled command."""
        args = command.args
        if command.op == "target":
            self.targets[command.n] = Target(id=command.n, since=(virtual_at, command.n), **args)
        elif command.op == "targets_cleared":
            self.targets.clear()
        elif args["target"] in self.targets:
            self.targets[args["target"]].told[args["token"]] = tuple(args["until"])

    def disconnected(self, token: str, payload: dict[str, Any]) -> None:
        """Queue `enrollment.disconnected` for every target that hears of this enrolment."""
        heard = [target for target in self.targets.values() if target.token in (None, token)]
        self._queue.extend((target, "enrollment.disconnected", payload) for target in heard)
        self._twin.wake()

    async def run(self) -> None:
        """Look for what to send: when something happened, and every few seconds while there are targets."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._twin.woken.wait(), LOOK_SECONDS if self.targets else None)
            self._twin.woken.clear()
            while self._queue:
                await self._deliver(*self._queue.popleft())
            for target in list(self.targets.values()):
                for token in [target.token] if target.token else self._twin.known_tokens():
                    await self._tell(target, token)

    async def send(
        self, *, url: str, secrets: list[str], type: str, payload: dict[str, Any], age_seconds: float = 0
    ) -> dict[str, Any]:
        """Send one webhook once, signed `age_seconds` ago; return what went out and the answer's status."""
        body = {
            "id": wire_id("wh", time.time_ns(), url),
            "payload": payload,
            "timestamp": wire_time(time.time()),
            "type": type,
        }
        raw = json.dumps(body, separators=(",", ":")).encode()
        signature = sign(raw, secrets, int(time.time() - age_seconds))
        headers = {"Content-Type": "application/json", "Teller-Signature": signature}
        sent = {"id": body["id"], "type": type, "url": url, "signature": signature, "body": raw.decode()}
        try:
            async with (
                ClientSession(timeout=TIMEOUT) as session,
                # A receiver on loopback may well use a certificate that nobody signed.
                session.post(url, data=raw, headers=headers, allow_redirects=False, ssl=False) as answer,
            ):
                return {**sent, "status": answer.status, "error": None}
        except (ClientError, TimeoutError, OSError) as error:
            return {**sent, "status": None, "error": type_name(error)}

    async def _tell(self, target: Target, token: str) -> None:
        until = self._twin.world.now(), self._twin.world.journal.count
        enrollment = self._twin.enrollment(token)
        if enrollment is None or enrollment.status != "active":
            return
        found = enrollment.processed_between(target.told.get(token, target.since), until)
        if not found:
            return
        rows = [json.loads(account.book.render_one(row, target.base)) for account, row in found]
        for start in range(0, len(rows), ROWS_A_WEBHOOK):
            payload = {"enrollment_id": enrollment.id, "transactions": rows[start : start + ROWS_A_WEBHOOK]}
            await self._deliver(target, "transactions.processed", payload)
        self._twin.commit("told", {"target": target.id, "token": token, "until": until})

    async def _deliver(self, target: Target, type: str, payload: dict[str, Any]) -> None:
        for wait in (*RETRY_SECONDS, None):
            sent = await self.send(url=target.url, secrets=target.secrets, type=type, payload=payload)
            self.deliveries.append({"at": wire_time(time.time()), "target": target.id, **sent})
            if wait is None or (sent["status"] is not None and sent["status"] < 300):
                return
            await asyncio.sleep(wait)


def sign(raw: bytes, secrets: list[str], timestamp: int) -> str:
    """Return the `Teller-Signature` header."""
    message = f"{timestamp}.".encode() + raw
    signatures = [hmac.new(secret.encode(), message, "sha256").hexdigest() for secret in secrets]
    return ",".join([f"t={timestamp}", *(f"v1={signature}" for signature in signatures)])


def is_loopback(url: str) -> bool:
    """Tell whether an http(s) URL points to this machine."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            return False
        return parts.hostname == "localhost" or ip_address(parts.hostname).is_loopback
    except ValueError:
        return False


def type_name(error: BaseException) -> str:
    """Return an error's name and text in one line."""
    return f"{type(error).__name__}: {error}"
