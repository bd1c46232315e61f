"""Send Teller's webhooks, signed, to loopback URLs only.

`Teller-Signature: t=<unix>,v1=<hex>[,v1=<hex>]` is HMAC-SHA256 over "{t}.{raw body}", one v1 for each secret
(https://teller.io/docs/api/webhooks). Registered targets get `transactions.processed` once rows are enriched
or posted (at most 100 rows each; none while the enrolment is disconnected) and `enrollment.disconnected`. A
delivery is tried three times, as one event under one id; `transactions.processed` that a kill interrupts is sent again.

Faults act on what registered targets get, where their `match` is the beginning of "WEBHOOK <type>".
"""

import asyncio
import contextlib
import hmac
import json
import time
from collections import deque
from collections.abc import Coroutine
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
# How long an event that a fault holds back waits for the one that is to overtake it.
OVERTAKE_SECONDS = 1.0
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
        self._held_back: list[tuple[Target, dict[str, Any]]] = []
        self._late: set[asyncio.Task[None]] = set()

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
        return await self._send(_event(url, type, payload), url, secrets, age_seconds=age_seconds)

    async def _send(
        self, event: dict[str, Any], url: str, secrets: list[str], *, fault: str = "", age_seconds: float = 0
    ) -> dict[str, Any]:
        """Send an event once; `fault` may cut its body, or hang up on the answer."""
        raw = json.dumps(event, separators=(",", ":")).encode()
        signature = sign(raw, secrets, int(time.time() - age_seconds))
        headers = {"Content-Type": "application/json", "Teller-Signature": signature}
        if fault == "malformed":
            raw = raw[: len(raw) // 2]
        sent = {"id": event["id"], "type": event["type"], "url": url, "signature": signature, "body": raw.decode()}
        try:
            async with (
                ClientSession(timeout=TIMEOUT) as session,
                # A receiver on loopback may well use a certificate that nobody signed.
                session.post(url, data=raw, headers=headers, allow_redirects=False, ssl=False) as answer,
            ):
                if fault == "drop_response":
                    return {**sent, "status": None, "error": "hung up"}
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
        """Send an event to a target, as the fault that acts on it would have it."""
        event = _event(target.url, type, payload)
        fault = self._twin.world.take_fault(self._twin.name, f"WEBHOOK {type}")
        kind = fault.kind if fault else ""
        if kind == "reorder":
            self._held_back.append((target, event))
            self._start_late(OVERTAKE_SECONDS, self._release())
            return
        if kind.startswith("delay:"):
            self._start_late(int(kind.partition(":")[2]) / 1000, self._try(target, event))
        else:
            await self._try(target, event, kind)
        if kind == "duplicate":
            await self._try(target, event)
        await self._release()

    async def _try(self, target: Target, event: dict[str, Any], fault: str = "") -> None:
        for wait in (*RETRY_SECONDS, None):
            sent = await self._send(event, target.url, target.secrets, fault=fault)
            self.deliveries.append({"at": wire_time(time.time()), "target": target.id, **sent})
            if wait is None or (sent["status"] is not None and sent["status"] < 300):
                return
            fault = ""
            await asyncio.sleep(wait)

    async def _release(self) -> None:
        held, self._held_back = self._held_back, []
        for target, event in held:
            await self._try(target, event)

    def _start_late(self, seconds: float, work: Coroutine[Any, Any, None]) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            await work

        task = asyncio.create_task(wait())
        self._late.add(task)
        task.add_done_callback(self._late.discard)


def _event(url: str, type: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Return an event of its own id; whatever is sent of it again has the same."""
    return {
        "id": wire_id("wh", time.time_ns(), url),
        "payload": payload,
        "timestamp": wire_time(time.time()),
        "type": type,
    }


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
