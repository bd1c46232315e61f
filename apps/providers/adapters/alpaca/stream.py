"""Listens to what becomes of one account's orders. Source: docs.alpaca.markets/docs/websocket-streaming.

Paper accounts send binary frames, live ones text; both hold JSON. Nothing is replayed: what happened while nobody
listened has to be pulled, which is why the stream says when it is open.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from decimal import Decimal
from typing import Any

import aiohttp
import msgspec
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.providers.adapters.alpaca.errors import KEY_REFUSED, PROVIDER, stream_error
from apps.providers.adapters.alpaca.hosts import address, mode_of
from apps.providers.adapters.alpaca.mapping.orders import map_update
from apps.providers.enums import ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.trading import StreamOpened, TradeUpdate
from apps.providers.types import RejectedRow

CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 2.0
# A ping this often; without its pong within half of that the connection is dead.
HEARTBEAT_SECONDS = 10.0
LARGEST_MESSAGE = 1024 * 1024
TRADE_UPDATES = "trade_updates"

logger = logging.getLogger(__name__)


class _Message(msgspec.Struct):
    stream: str
    data: dict[str, Any]


_decoder = msgspec.json.Decoder(_Message, float_hook=Decimal)


async def stream(
    credentials: Mapping[str, str],
    *,
    connect_seconds: float = CONNECT_SECONDS,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
) -> AsyncGenerator[StreamOpened | TradeUpdate, None]:
    """Yield StreamOpened once it listens, then trade updates, until the connection breaks.

    An update that cannot be read ends the stream, too: whoever reconnects pulls what it said.

    Raises:
        ProviderError: AUTH when the key is refused, THROTTLED for too many connections, else RETRYABLE.
    """
    try:
        async with aiohttp.ClientSession(trust_env=not settings.SANDBOX_URL) as session:
            ready_at = asyncio.get_running_loop().time() + connect_seconds
            async with asyncio.timeout_at(ready_at):
                socket = await _connect(session, credentials, heartbeat_seconds)
            try:
                async with asyncio.timeout_at(ready_at):
                    await _begin(socket, credentials)
                yield StreamOpened()
                while True:
                    message = await _next_message(socket)
                    if message.stream == TRADE_UPDATES:
                        yield _update(message.data)
            finally:
                await socket.close()
    except aiohttp.WSServerHandshakeError as error:
        raise _handshake_refused(error.status) from error
    except (aiohttp.ClientError, OSError) as error:  # OSError: time-outs and refused connections
        raise _broken("unreachable", _("Alpaca's stream cannot be reached; it is tried again.")) from error


async def _connect(
    session: aiohttp.ClientSession, credentials: Mapping[str, str], heartbeat_seconds: float
) -> aiohttp.ClientWebSocketResponse:
    return await session.ws_connect(
        f"{address(mode_of(credentials)).replace('http', 'ws', 1)}/stream",
        heartbeat=heartbeat_seconds,
        max_msg_size=LARGEST_MESSAGE,
        timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
    )


async def _begin(socket: aiohttp.ClientWebSocketResponse, credentials: Mapping[str, str]) -> None:
    """Authenticate and listen."""
    keys = {"key_id": credentials["key_id"], "secret_key": credentials["secret_key"]}
    await _say(socket, "authenticate", keys)
    if (await _answer(socket, "authorization")).get("status") != "authorized":
        raise _key_refused()
    await _say(socket, "listen", {"streams": [TRADE_UPDATES]})
    if TRADE_UPDATES not in ((await _answer(socket, "listening")).get("streams") or ()):
        raise _broken("listening_refused", _("Alpaca does not open the stream of trade updates."))


async def _say(socket: aiohttp.ClientWebSocketResponse, action: str, data: Mapping[str, Any]) -> None:
    await socket.send_str(msgspec.json.encode({"action": action, "data": data}).decode())


async def _answer(socket: aiohttp.ClientWebSocketResponse, name: str) -> dict[str, Any]:
    """Return the next message of this name; updates may already come in between."""
    while (message := await _next_message(socket)).stream != name:
        pass
    return message.data


async def _next_message(socket: aiohttp.ClientWebSocketResponse) -> _Message:
    frame = await socket.receive()
    if frame.type not in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
        raise _broken("connection_lost", _("Alpaca's stream has ended; it is opened again."))
    try:
        return _decoder.decode(frame.data)
    except (msgspec.DecodeError, RecursionError, ArithmeticError) as error:
        raise _unreadable() from error


def _update(data: dict[str, Any]) -> TradeUpdate:
    update = map_update(data)
    if isinstance(update, RejectedRow):
        logger.warning(
            "provider.row_refused",
            extra={"provider": PROVIDER, "entity": update.entity, "row": update.external_id, "reason": update.reason},
        )
        raise _unreadable()
    return update


def _handshake_refused(status: int) -> ProviderError:
    if status == 401:
        return _key_refused()
    if status == 429:
        return stream_error(ErrorCategory.THROTTLED, "throttled", _("Alpaca allows no more connections for now."))
    return _broken("provider_unavailable", _("Alpaca's stream is not available at the moment; it is tried again."))


def _key_refused() -> ProviderError:
    return stream_error(ErrorCategory.AUTH, "credentials_refused", KEY_REFUSED)


def _unreadable() -> ProviderError:
    return _broken("malformed_answer", _("A message of Alpaca's stream could not be read; it is opened again."))


def _broken(code: str, message: str | Promise) -> ProviderError:
    return stream_error(ErrorCategory.RETRYABLE, code, message)
