"""The stream of trade updates: against the sandbox, and against a server that does what it should not."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from apps.providers.adapters.alpaca.stream import stream
from apps.providers.enums import ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.trading import StreamOpened, TradeUpdate
from tests.providers.alpaca.conftest import order
from tests.providers.alpaca.recordings import load
from tests.providers.alpaca.test_mapping import UPDATE

pytestmark = pytest.mark.no_database

KEYS = {"key_id": "PKTESTTEST", "secret_key": "s"}
AUTHORIZED = {"stream": "authorization", "data": {"status": "authorized", "action": "authenticate"}}
LISTENING = {"stream": "listening", "data": {"streams": ["trade_updates"]}}
FAR_BELOW: dict[str, Any] = {"type": "limit", "limit_price": Decimal("1.25"), "time_in_force": "gtc"}

Step = StreamOpened | TradeUpdate


async def steps(source: AsyncIterator[Step], *, until: str) -> list[Step]:
    """Return what comes, up to and with the event `until`."""
    found: list[Step] = []
    async with asyncio.timeout(10):
        async for step in source:
            found.append(step)
            if isinstance(step, TradeUpdate) and step.event == until:
                return found
    raise AssertionError("the stream ended")


async def failure(source: AsyncIterator[Step]) -> ProviderError:
    """Return the error that ends the stream."""
    with pytest.raises(ProviderError) as caught:
        async with asyncio.timeout(10):
            async for _step in source:
                pass
    return caught.value


class TestAgainstTheSandbox:
    def test_an_order_from_placed_to_filled(self, broker, keys):
        async def run() -> list[Step]:
            async with aclosing(stream(keys)) as source:
                opened = await anext(source)
                await asyncio.to_thread(broker.place_order, order(quantity=Decimal(4)))
                return [opened, *await steps(source, until="fill")]

        opened, *updates = asyncio.run(run())
        assert opened == StreamOpened()
        assert [(step.event, step.order.status) for step in updates if isinstance(step, TradeUpdate)] == [
            ("pending_new", "accepted"),
            ("new", "accepted"),
            ("fill", "filled"),
        ]
        last = updates[-1]
        assert isinstance(last, TradeUpdate)
        # The same execution in the list of activities has the same id.
        assert list(broker.fills(since=datetime.now(UTC) - timedelta(minutes=1))) == [last.fill]
        assert last.order.filled_quantity == 4

    def test_what_happens_while_nobody_listens_is_not_replayed(self, broker, sandbox, keys):
        sandbox.control("POST", "/alpaca/execution", key_id=keys["key_id"], hold=True)

        async def run() -> tuple[ProviderError, list[Step]]:
            async with aclosing(stream(keys)) as source:
                assert await anext(source) == StreamOpened()
                placed = await asyncio.to_thread(broker.place_order, order(**FAR_BELOW))
                await steps(source, until="new")
                sandbox.control("DELETE", f"/alpaca/streams?key_id={keys['key_id']}")
                lost = await failure(source)
            sandbox.control("POST", "/alpaca/order", key_id=keys["key_id"], order_id=placed.venue_order_id, op="fill")
            async with aclosing(stream(keys)) as source:
                assert await anext(source) == StreamOpened()
                other = await asyncio.to_thread(broker.place_order, order("MSFT", **FAR_BELOW))
                seen = await steps(source, until="new")
                assert {step.order.venue_order_id for step in seen if isinstance(step, TradeUpdate)} == {
                    other.venue_order_id
                }
                return lost, seen

        lost, _seen = asyncio.run(run())
        assert (lost.category, lost.code) == (ErrorCategory.RETRYABLE, "connection_lost")
        assert len(list(broker.fills(since=datetime.now(UTC) - timedelta(minutes=1)))) == 1

    def test_a_key_that_is_refused(self, keys, sandbox):
        error = asyncio.run(failure(stream({**keys, "secret_key": "wrong"})))
        assert (error.category, error.code) == (ErrorCategory.AUTH, "credentials_refused")

    def test_another_keys_orders_are_not_in_it(self, broker, open_broker, sandbox, keys):
        other = open_broker(sandbox.credentials("stream-other")["alpaca"])

        async def run() -> list[Step]:
            async with aclosing(stream(keys)) as source:
                await anext(source)
                await asyncio.to_thread(other.place_order, order(**FAR_BELOW))
                await asyncio.to_thread(broker.place_order, order("MSFT", **FAR_BELOW))
                return await steps(source, until="new")

        assert {step.order.symbol for step in asyncio.run(run()) if isinstance(step, TradeUpdate)} == {"MSFT"}

    def test_a_listener_that_leaves_hangs_up(self, sandbox, keys):
        def count() -> int:
            found: dict[str, int] = sandbox.control("GET", f"/alpaca/streams?key_id={keys['key_id']}")
            return found["connections"]

        async def run() -> None:
            async with aclosing(stream(keys)) as source:
                await anext(source)
                assert await asyncio.to_thread(count) == 1

        asyncio.run(run())
        assert count() == 0

    def test_an_update_that_cannot_be_read_ends_it(self, broker, sandbox, keys):
        sandbox.fault("malformed", provider="alpaca", count=1, match="STREAM trade_updates new AMD")

        async def run() -> ProviderError:
            async with aclosing(stream(keys)) as source:
                await anext(source)
                await asyncio.to_thread(broker.place_order, order("AMD", **FAR_BELOW))
                return await failure(source)

        error = asyncio.run(run())
        assert (error.category, error.code) == (ErrorCategory.RETRYABLE, "malformed_answer")

    def test_an_update_may_come_twice(self, broker, sandbox, keys):
        sandbox.fault("duplicate", provider="alpaca", count=1, match="STREAM trade_updates pending_new INTC")

        async def run() -> list[Step]:
            async with aclosing(stream(keys)) as source:
                await anext(source)
                await asyncio.to_thread(broker.place_order, order("INTC", **FAR_BELOW))
                return await steps(source, until="new")

        events = [step.event for step in asyncio.run(run()) if isinstance(step, TradeUpdate)]
        assert events == ["pending_new", "pending_new", "new"]


Script = Callable[[web.WebSocketResponse, list[Any]], Awaitable[None]]


@asynccontextmanager
async def scripted(settings: Any, script: Script, *, autoping: bool = True) -> AsyncIterator[list[Any]]:
    """Serve one stream by a script; yield what the client has said."""
    said: list[Any] = []

    async def serve(request: web.Request) -> web.StreamResponse:
        assert request.path == "/alpaca/stream"
        served = web.WebSocketResponse(autoping=autoping)
        await served.prepare(request)
        await script(served, said)
        return served

    app = web.Application()
    app.router.add_get("/{path:.*}", serve)
    async with serving(settings, app):
        yield said


@asynccontextmanager
async def serving(settings: Any, app: web.Application) -> AsyncIterator[None]:
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    settings.SANDBOX_URL = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    try:
        yield
    finally:
        await runner.cleanup()


def conversation(*answers: Any, then: Any = None, frames: str = "binary") -> Script:
    """Answer each thing said in turn, then say what follows and end."""

    async def run(served: web.WebSocketResponse, said: list[Any]) -> None:
        async def say(message: Any) -> None:
            data = message if isinstance(message, bytes) else json.dumps(message).encode()
            await (served.send_bytes(data) if frames == "binary" else served.send_str(data.decode()))

        for replies in answers:
            said.append(json.loads((await served.receive()).data))
            for message in replies:
                await say(message)
        for message in then or []:
            await say(message)

    return run


class TestAgainstAScript:
    def listen(self, settings, script: Script, **options: Any) -> tuple[list[Step], ProviderError, list[Any]]:
        async def run() -> tuple[list[Step], ProviderError, list[Any]]:
            seen: list[Step] = []
            autoping = options.pop("autoping", True)
            async with scripted(settings, script, autoping=autoping) as said:
                with pytest.raises(ProviderError) as caught:
                    async for step in stream(KEYS, **options):
                        seen.append(step)
            return seen, caught.value, said

        return asyncio.run(run())

    def test_it_says_what_the_documentation_says(self, settings, realdata):
        seen, error, said = self.listen(settings, conversation([AUTHORIZED], [LISTENING]))
        authenticate = load(realdata, "alpaca_streaming/trading-api_streaming_02_authentication")
        listen = load(realdata, "alpaca_streaming/trading-api_streaming_00_streaming")
        assert listen == load(realdata, "alpaca_streaming/trading-api_streaming_06_trade_updates")
        assert said == [{**authenticate, "data": KEYS}, listen]
        assert sorted(authenticate["data"]) == sorted(KEYS)
        assert (seen, error.category, error.code) == ([StreamOpened()], ErrorCategory.RETRYABLE, "connection_lost")

    def test_the_documented_refusal(self, settings, realdata):
        refusal = load(realdata, "alpaca_streaming/trading-api_streaming_04_authentication")
        seen, error, _said = self.listen(settings, conversation([refusal]))
        assert (seen, error.category, error.code) == ([], ErrorCategory.AUTH, "credentials_refused")

    @pytest.mark.parametrize("frames", ["binary", "text"])
    def test_both_kinds_of_frames(self, settings, realdata, frames):
        update = load(realdata, "alpaca_streaming/trading-api_streaming_08_example")
        script = conversation([AUTHORIZED], [LISTENING], then=[update], frames=frames)
        seen, _error, _said = self.listen(settings, script)
        assert [step.event for step in seen if isinstance(step, TradeUpdate)] == ["fill"]

    def test_other_messages_in_between_are_passed_over(self, settings):
        noise = {"stream": "news", "data": {}}
        update = {"stream": "trade_updates", "data": UPDATE}
        script = conversation([noise, AUTHORIZED], [noise, LISTENING], then=[noise, update, noise])
        seen, _error, _said = self.listen(settings, script)
        assert [type(step) for step in seen] == [StreamOpened, TradeUpdate]

    @pytest.mark.parametrize("answer", [{"streams": []}, {"streams": None}, {"error": "no"}])
    def test_a_stream_that_is_not_opened(self, settings, answer):
        script = conversation([AUTHORIZED], [{"stream": "listening", "data": answer}])
        seen, error, _said = self.listen(settings, script)
        assert (seen, error.category, error.code) == ([], ErrorCategory.RETRYABLE, "listening_refused")

    @pytest.mark.parametrize(
        "message",
        [b"", b"{", b"[]", b"\xff", b"[" * 50_000, b'{"stream": "trade_updates"}', b'{"stream": 7, "data": {}}'],
    )
    def test_a_message_that_is_none(self, settings, message):
        seen, error, _said = self.listen(settings, conversation([AUTHORIZED], [LISTENING], then=[message]))
        assert (seen, error.code) == ([StreamOpened()], "malformed_answer")

    def test_a_fill_without_its_price(self, settings):
        broken = {"stream": "trade_updates", "data": {**UPDATE, "price": None}}
        seen, error, _said = self.listen(settings, conversation([AUTHORIZED], [LISTENING], then=[broken]))
        assert (seen, error.category, error.code) == ([StreamOpened()], ErrorCategory.RETRYABLE, "malformed_answer")

    def test_a_huge_message(self, settings):
        script = conversation([AUTHORIZED], [LISTENING], then=[b" " * (2 * 1024 * 1024)])
        assert self.listen(settings, script)[1].code == "connection_lost"

    def test_silence_before_it_is_open(self, settings):
        async def say_nothing(served: web.WebSocketResponse, said: list[Any]) -> None:
            await asyncio.sleep(2)

        started = time.monotonic()
        seen, error, _said = self.listen(settings, say_nothing, connect_seconds=0.3)
        assert (seen, error.category, error.code) == ([], ErrorCategory.RETRYABLE, "unreachable")
        assert time.monotonic() - started < 1.5

    def test_a_peer_that_is_gone_without_a_word(self, settings):
        async def go_silent(served: web.WebSocketResponse, said: list[Any]) -> None:
            await conversation([AUTHORIZED], [LISTENING])(served, said)
            await asyncio.sleep(3)

        started = time.monotonic()
        seen, error, _said = self.listen(settings, go_silent, autoping=False, heartbeat_seconds=0.2)
        assert (seen, error.category, error.code) == (
            [StreamOpened()],
            ErrorCategory.RETRYABLE,
            "connection_lost",
        )
        assert time.monotonic() - started < 2.5

    @pytest.mark.parametrize(
        ("status", "category", "code"),
        [
            (401, ErrorCategory.AUTH, "credentials_refused"),
            (429, ErrorCategory.THROTTLED, "throttled"),
            (503, ErrorCategory.RETRYABLE, "provider_unavailable"),
            (200, ErrorCategory.RETRYABLE, "provider_unavailable"),
        ],
    )
    def test_a_handshake_that_fails(self, settings, status, category, code):
        async def refuse(request: web.Request) -> web.Response:
            return web.Response(status=status)

        async def run() -> ProviderError:
            app = web.Application()
            app.router.add_get("/{path:.*}", refuse)
            async with serving(settings, app):
                return await failure(stream(KEYS))

        error = asyncio.run(run())
        assert (error.category, error.code) == (category, code)

    def test_a_host_that_is_not_there(self, settings):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            settings.SANDBOX_URL = f"http://127.0.0.1:{listener.getsockname()[1]}"
        error = asyncio.run(failure(stream(KEYS)))
        assert (error.category, error.code) == (ErrorCategory.RETRYABLE, "unreachable")
