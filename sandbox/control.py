"""Answer `/_control`: the levers that tests and the demo pull. Bad input is a 400 that names the field."""

from collections.abc import Iterable

from aiohttp import web

from sandbox.clock import wire_time
from sandbox.faults import parse_fault
from sandbox.fields import BadControlInput, Fields
from sandbox.world import World

LONGEST_ADVANCE = 366 * 86_400


class Control:
    """Serve the frame's own control endpoints."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the endpoints with their full paths."""
        yield web.get("/_control/health", self.health)
        yield web.get("/_control/faults", self.list_faults)
        yield web.post("/_control/faults", self.add_fault)
        yield web.delete("/_control/faults", self.clear_faults)
        yield web.get("/_control/log", self.list_exchanges)
        yield web.post("/_control/advance", self.advance)
        yield web.post("/_control/clock", self.set_clock)
        yield web.get("/_control/credentials", self.list_credentials)
        for name, provider in self._world.providers.items():
            for route in provider.control_routes():
                yield web.route(route.method, f"/_control/{name}{route.path}", route.handler)

    async def health(self, _: web.Request) -> web.Response:
        """Tell that the sandbox is up, and what its clock says."""
        return web.json_response({"status": "ok", "providers": sorted(self._world.providers), **self._clock()})

    async def list_faults(self, _: web.Request) -> web.Response:
        """List the active faults, oldest first."""
        return web.json_response({"data": [fault.as_json() for fault in self._world.faults.active()]})

    async def add_fault(self, request: web.Request) -> web.Response:
        """Inject a fault: {provider, kind, rate | count, match}."""
        args = parse_fault(await Fields.of(request), tuple(self._world.providers))
        self._world.commit("", "fault", args)
        return web.json_response(self._world.faults.active()[-1].as_json(), status=201)

    async def clear_faults(self, request: web.Request) -> web.Response:
        """Clear all faults, or those of ?provider=."""
        provider = self._provider_of(request)
        cleared = sum(provider in (None, fault.provider) for fault in self._world.faults.active())
        self._world.commit("", "faults_cleared", {"provider": provider})
        return web.json_response({"cleared": cleared})

    async def list_exchanges(self, request: web.Request) -> web.Response:
        """List what the providers received, oldest first: ?provider=, ?since=<sequence>."""
        fields = Fields.of_query(request)
        provider = fields.find_text("provider", choices=tuple(self._world.providers))
        since = fields.find_text("since") or "0"
        fields.finish()
        if not (since.isascii() and since.isdigit()):
            raise BadControlInput("since", "Must be the sequence number of an exchange.")
        return web.json_response({"data": self._world.log.entries(provider=provider, since=int(since))})

    async def advance(self, request: web.Request) -> web.Response:
        """Bring what is scheduled within {seconds} forward."""
        fields = await Fields.of(request)
        seconds = fields.number("seconds", low=0, high=LONGEST_ADVANCE)
        fields.finish()
        self._world.commit("", "advance", {"seconds": seconds})
        return web.json_response(self._clock())

    async def set_clock(self, request: web.Request) -> web.Response:
        """Let virtual time pass by itself or hold it still: {running}."""
        fields = await Fields.of(request)
        running = fields.flag("running", default=True)
        fields.finish()
        self._world.commit("", "clock", {"running": running})
        return web.json_response(self._clock())

    async def list_credentials(self, request: web.Request) -> web.Response:
        """Return, for the customer ?label=, the credentials at each provider that wants some."""
        fields = Fields.of_query(request)
        label = fields.find_text("label") or "acme"
        fields.finish()
        found = {name: twin.credentials(label) for name, twin in self._world.providers.items()}
        return web.json_response({name: credentials for name, credentials in found.items() if credentials})

    def _clock(self) -> dict[str, object]:
        return {
            "virtual_now": wire_time(self._world.now()),
            "offset_seconds": round(self._world.timeline.offset, 3),
            "clock_running": self._world.timeline.running,
        }

    def _provider_of(self, request: web.Request) -> str | None:
        fields = Fields.of_query(request)
        provider = fields.find_text("provider", choices=tuple(self._world.providers))
        fields.finish()
        return provider
