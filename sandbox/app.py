"""Put the frame together: provider-independent fault and log middleware around the twins' routes."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web

from sandbox.clock import wire_time
from sandbox.control import Control
from sandbox.faults import Fault, bend
from sandbox.fields import BadControlInput
from sandbox.providers.base import Provider, Refused
from sandbox.world import World

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LARGEST_BODY = 8 * 1024 * 1024
GATEWAY_TIMEOUT = "status:504"
logger = logging.getLogger("sandbox")


def build_app(world: World) -> web.Application:
    """Return the application that serves a world."""
    exchange = Exchange(world)
    app = web.Application(middlewares=[exchange.handle, control_errors], client_max_size=LARGEST_BODY)
    app.add_routes(list(Control(world).routes()))
    for name, provider in world.providers.items():
        for route in provider.routes():
            app.router.add_route(route.method, f"/{name}{route.path}", route.handler)

    async def run_background(_: web.Application) -> AsyncIterator[None]:
        jobs = [provider.background() for provider in world.providers.values()]
        tasks = [asyncio.create_task(job) for job in jobs if job is not None]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def stop_providers(_: web.Application) -> None:
        await asyncio.gather(*(provider.stop() for provider in world.providers.values()))

    app.cleanup_ctx.append(run_background)
    app.on_shutdown.append(stop_providers)
    return app


@web.middleware
async def control_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a control request got wrong into JSON."""
    if not request.path.startswith("/_control"):
        return await handler(request)
    try:
        return await handler(request)
    except BadControlInput as error:
        return web.json_response({"error": {"field": error.field, "message": error.message}}, status=400)
    except web.HTTPException as error:
        return web.json_response({"error": {"field": "", "message": error.reason}}, status=error.status)


class Exchange:
    """Carry one exchange with a provider: pick a fault, perform, bend the answer, log, deliver."""

    def __init__(self, world: World) -> None:
        self._world = world

    @web.middleware
    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Handle a request; those that are not for a provider pass through."""
        name, _, rest = request.path.lstrip("/").partition("/")
        provider = self._world.providers.get(name)
        if provider is None:
            return await handler(request)
        path = f"/{rest}"
        query = f"?{request.query_string}" if request.query_string else ""
        fault = self._world.take_fault(name, f"{request.method} {path}{query}")
        response = _refusal(provider, fault)
        performed = False
        if response is None:
            response = await self._perform(request, handler, provider)
            if isinstance(response, web.WebSocketResponse):
                return response
            performed = response.status < 400
            if fault is not None and fault.kind == GATEWAY_TIMEOUT:
                response = provider.error(504)
        provider.finish(request, response)
        await self._log(request, provider, path, response, performed=performed, fault=fault)
        return await self._deliver(request, response, fault)

    async def _perform(self, request: web.Request, handler: Handler, provider: Provider) -> web.StreamResponse:
        try:
            await request.read()
            return await handler(request)
        except Refused as refused:
            return refused.response
        except web.HTTPException as error:
            return provider.error(error.status)
        except ConnectionError:
            raise
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            return provider.error(500)

    async def _log(
        self,
        request: web.Request,
        provider: Provider,
        path: str,
        response: web.StreamResponse,
        *,
        performed: bool,
        fault: Fault | None,
    ) -> None:
        self._world.log.add(
            {
                "at": wire_time(time.time()),
                "provider": provider.name,
                "method": request.method,
                "path": path,
                "query": dict(request.query),
                "request": await _body_of(request),
                "status": response.status,
                "performed": performed,
                "fault": fault.kind if fault else None,
            }
        )

    async def _deliver(
        self, request: web.Request, response: web.StreamResponse, fault: Fault | None
    ) -> web.StreamResponse:
        if fault is None or response.prepared:
            return response
        if fault.kind == "drop_response" and request.transport is not None:
            request.transport.abort()
        elif fault.kind.startswith("delay:"):
            await asyncio.sleep(int(fault.kind.partition(":")[2]) / 1000)
        elif isinstance(response, web.Response) and isinstance(response.body, bytes):
            response.body = bend(fault.kind, response.body, salt=f"{self._world.seed}:{fault.id}:{fault.fired}")
        return response


def _refusal(provider: Provider, fault: Fault | None) -> web.StreamResponse | None:
    if fault is not None and fault.kind.startswith("status:") and fault.kind != GATEWAY_TIMEOUT:
        return provider.error(int(fault.kind.partition(":")[2]))
    if fault is not None and fault.kind == "throttle":
        return provider.throttled()
    return None


async def _body_of(request: web.Request) -> Any:
    body = b""
    with contextlib.suppress(web.HTTPException):
        body = await request.read()
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
