"""Answer as https://api.pwnedpasswords.com does: GET /range/{first five digits of a SHA-1}.

No credentials. Known are the passwords in `BREACHED`; how often they were seen is made up. Each range has further
hashes, which follow from the seed and belong to no password. `Add-Padding: true` adds lines with the count 0.
"""

import hashlib
import random
import re
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from sandbox.journal import Command
from sandbox.providers.base import Provider, Refused

# Long ones, which no list of the most common holds.
BREACHED = {
    "correct horse battery staple": 384,
    "correcthorsebatterystaple": 3_121,
    "to be or not to be that is the question": 57,
    "the quick brown fox jumps over the lazy dog": 2_044,
    "mary had a little lamb": 911,
}
OTHERS_IN_A_RANGE = 40
# The real one pads to between 800 and 1,000 lines.
LINES_WHEN_PADDED = (800, 1000)
PREFIX = re.compile(r"[0-9A-Fa-f]{5}")
REST_LENGTH = 35


def sha1(password: str) -> str:
    """Return a password's SHA-1 in capital hex digits."""
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


class PwnedPasswords(Provider):
    """Simulate the range API; it has no customers and no state."""

    name = "pwnedpasswords"

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the endpoint."""
        yield web.get("/range/{prefix}", self.list_range)

    def error(self, status: int) -> web.Response:
        """Return a plain sentence, as the real one does."""
        return web.Response(status=status, text=f"{status}")

    def throttled(self) -> web.Response:
        """Return a 429; the real API has no limit of its own, what stands before it may."""
        return web.Response(status=429, text="Rate limit is exceeded.", headers={"Retry-After": "2"})

    def credentials(self, label: str) -> dict[str, Any]:
        """Return nothing: the API is open."""
        return {}

    def apply(self, command: Command, *, virtual_at: float) -> None:
        """Refuse every command: there is nothing to steer."""
        raise ValueError(f"{self.name} knows no command {command.op!r}")

    async def list_range(self, request: web.Request) -> web.Response:
        """GET /range/{prefix}: how the hashes go on, and how often each was seen."""
        prefix = request.match_info["prefix"].upper()
        if not PREFIX.fullmatch(prefix):
            raise Refused(web.Response(status=400, text="The hash format was not in a valid format"))
        lines = self._known(prefix)
        if request.headers.get("Add-Padding", "").lower() == "true":
            draw = random.Random()
            lines += [(_rest(draw), 0) for _ in range(draw.randint(*LINES_WHEN_PADDED) - len(lines))]
        return web.Response(text="\r\n".join(f"{rest}:{count}" for rest, count in sorted(lines)))

    def _known(self, prefix: str) -> list[tuple[str, int]]:
        draw = random.Random(f"{self.world.seed}:{prefix}")
        others = [(_rest(draw), draw.randint(1, 500)) for _ in range(OTHERS_IN_A_RANGE)]
        hashes = {sha1(password): count for password, count in BREACHED.items()}
        return others + [(found[5:], count) for found, count in hashes.items() if found.startswith(prefix)]


def _rest(draw: random.Random) -> str:
    return f"{draw.getrandbits(4 * REST_LENGTH):0{REST_LENGTH}X}"
