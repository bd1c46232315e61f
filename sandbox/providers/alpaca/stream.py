"""Tell listeners what becomes of orders, on the WebSocket `/stream`.

    -> {"action": "authenticate", "data": {"key_id", "secret_key"}}  or  {"action": "auth", "key", "secret"}
    <- {"stream": "authorization", "data": {"status": "authorized" | "unauthorized", "action": "authenticate"}}
    -> {"action": "listen", "data": {"streams": ["trade_updates"]}}
    <- {"stream": "listening", "data": {"streams": ["trade_updates"]}}
    <- {"stream": "trade_updates", "data": {"event", "execution_id", "order", "timestamp", ...}}

Everything goes out in binary frames, as from Alpaca's paper host. `fill` and `partial_fill` also carry price, qty
and position_qty. Nothing is replayed: who was not listening has to ask.

A fault acts on messages where its `match` is the beginning of "STREAM trade_updates <event> <symbol>".
"""

import asyncio
import json
from collections import deque
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from sandbox.faults import Fault
from sandbox.providers.alpaca.wire import stamp, text

if TYPE_CHECKING:
    from sandbox.providers.alpaca.desk import Update
    from sandbox.providers.alpaca.twin import Alpaca

STREAM = "trade_updates"
HEARTBEAT_SECONDS = 30.0
# How long a message that a fault holds back waits for the one that is to overtake it.
OVERTAKE_SECONDS = 1.0
LARGEST_MESSAGE = 64 * 1024
MOST_QUEUED = 10_000


class Listener:
    """Hold one connection."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        self.socket = socket
        self.key: str | None = None
        self.listens = False
        self._request = request
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(MOST_QUEUED)

    def put(self, message: bytes) -> None:
        """Queue a frame; who does not read is cut off."""
        if self._queue.full():
            self.cut()
        else:
            self._queue.put_nowait(message)

    def say(self, stream: str, data: dict[str, Any]) -> None:
        """Queue a message."""
        self.put(_frame(stream, data))

    async def send(self) -> None:
        """Send what is queued, until cancelled or cut."""
        while True:
            await self.socket.send_bytes(await self._queue.get())

    def cut(self) -> None:
        """Break the connection off without a farewell."""
        if self._request.transport is not None:
            self._request.transport.abort()


class Hub:
    """Hold the listeners and bring them the updates, bent by faults."""

    def __init__(self, twin: "Alpaca") -> None:
        self._twin = twin
        self._listeners: list[Listener] = []
        self._outgoing: deque[tuple[str, str, bytes]] = deque()
        self._held_back: list[tuple[str, bytes]] = []
        self._woken = asyncio.Event()

    def publish(self, update: "Update") -> None:
        """Queue an update for the listeners that there are now."""
        key = update.order.key
        if not self._listeners or not self._listeners_of(key):
            return
        data: dict[str, Any] = {
            "event": update.event,
            "execution_id": update.execution_id,
            "order": update.order.as_json(),
            "timestamp": stamp(update.at),
        }
        if update.fill is not None:
            data["price"] = text(update.fill.price)
            data["qty"] = text(update.fill.qty)
            data["position_qty"] = text(update.fill.position_qty)
        line = f"STREAM {STREAM} {update.event} {update.order.asset.symbol}"
        self._outgoing.append((key, line, _frame(STREAM, data)))
        self._woken.set()

    async def run(self) -> None:
        """Deliver what is published."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._outgoing:
                key, line, frame = self._outgoing.popleft()
                fault = self._twin.world.take_fault(self._twin.name, line) if self._listeners_of(key) else None
                self._deliver(key, frame, fault)

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection."""
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_SECONDS, max_msg_size=LARGEST_MESSAGE)
        await socket.prepare(request)
        listener = Listener(socket, request)
        self._listeners.append(listener)
        sending = asyncio.create_task(listener.send())
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    self._hear(listener, message.data)
        finally:
            self._listeners.remove(listener)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        return socket

    def count(self, key: str | None) -> dict[str, int]:
        """Count connections, and those of them that listen, of one key or all."""
        found = [each for each in self._listeners if key in (None, each.key)]
        return {"connections": len(found), "listening": sum(each.listens for each in found)}

    def cut(self, key: str | None) -> int:
        """Break off the connections of one key, or all."""
        found = [each for each in self._listeners if key in (None, each.key)]
        for each in found:
            each.cut()
        return len(found)

    async def close(self) -> None:
        """Take leave of everyone."""
        await asyncio.gather(*(each.socket.close(code=1001) for each in self._listeners), return_exceptions=True)

    def _hear(self, listener: Listener, raw: str | bytes) -> None:
        try:
            message = json.loads(raw)
            action, data = message.get("action"), message.get("data") or message
        except (ValueError, AttributeError):
            listener.say("error", {"error": "invalid syntax"})
            return
        if action in ("authenticate", "auth") and isinstance(data, dict):
            key = data.get("key_id") or data.get("key")
            is_right = self._twin.keys.is_right(key, data.get("secret_key") or data.get("secret"))
            listener.key = str(key) if is_right else None
            listener.listens = listener.listens and is_right
            status = "authorized" if is_right else "unauthorized"
            listener.say("authorization", {"status": status, "action": action})
        elif action == "listen" and isinstance(data, dict):
            self._listen(listener, data.get("streams"))
        else:
            listener.say("error", {"error": "unknown action"})

    def _listen(self, listener: Listener, streams: object) -> None:
        if listener.key is None:
            listener.say("authorization", {"status": "unauthorized", "action": "listen"})
            return
        wanted = streams if isinstance(streams, list) else []
        listener.listens = STREAM in wanted
        answer: dict[str, Any] = {"streams": [STREAM] if listener.listens else []}
        unknown = [name for name in wanted if name != STREAM]
        if unknown:
            answer["error"] = f"unknown streams: {', '.join(map(str, unknown))}"
        listener.say("listening", answer)

    def _deliver(self, key: str, frame: bytes, fault: Fault | None) -> None:
        kind = fault.kind if fault else ""
        if kind == "reorder":
            self._held_back.append((key, frame))
            asyncio.get_running_loop().call_later(OVERTAKE_SECONDS, self._release)
            return
        if kind.startswith("delay:"):
            wait = int(kind.partition(":")[2]) / 1000
            asyncio.get_running_loop().call_later(wait, self._send, key, frame)
        elif kind == "malformed":
            self._send(key, frame[: len(frame) // 2])
        elif kind != "drop_response":
            self._send(key, frame)
        if kind == "duplicate":
            self._send(key, frame)
        self._release()

    def _release(self) -> None:
        held, self._held_back = self._held_back, []
        for key, frame in held:
            self._send(key, frame)

    def _send(self, key: str, frame: bytes) -> None:
        for listener in self._listeners_of(key):
            listener.put(frame)

    def _listeners_of(self, key: str) -> list[Listener]:
        return [each for each in self._listeners if each.listens and each.key == key]


def _frame(stream: str, data: dict[str, Any]) -> bytes:
    return json.dumps({"stream": stream, "data": data}, separators=(",", ":")).encode()
