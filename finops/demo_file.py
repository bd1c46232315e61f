"""`demo.json`: what the demo can show only once, readable by its owner alone. Needs no Django."""

import base64
import hashlib
import hmac
import json
import os
import struct
from pathlib import Path
from typing import Any

from finops.embedded.environment import PROJECT, home_path, read_dotenv

STEP_SECONDS = 30
PARTS = {"base_url", "sandbox_url", "staff", "sandbox_credentials", "tenants"}


class NoDemo(Exception):
    """The platform has not been started under this home; the text says what to do."""


def running_demo() -> dict[str, Any]:
    """Return the content of `demo.json` under FINOPS_HOME, as the environment or `.env` names it.

    Raises:
        NoDemo: see the class.
    """
    path = home_path({**read_dotenv(PROJECT / ".env"), **os.environ}) / "demo.json"
    demo = read_demo(path)
    if demo is None:
        raise NoDemo(f"There is no {path}: start the platform with 'make run' first.")
    return demo


def read_demo(path: Path) -> dict[str, Any] | None:
    """Return the content, None when there is no such file or it does not hold what `write_demo` wrote."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) and content.keys() >= PARTS else None


def write_demo(path: Path, content: dict[str, Any]) -> None:
    """Replace the file atomically; readers see the old one or the new one, and only their owner sees either."""
    draft = path.with_suffix(".json.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def refresh_addresses(path: Path, *, base_url: str, sandbox_url: str) -> None:
    """Write the present URLs into an existing file: ports may differ from start to start."""
    content = read_demo(path) or {}
    addresses = {"base_url": base_url, "sandbox_url": sandbox_url}
    if content and any(content.get(name) != value for name, value in addresses.items()):
        write_demo(path, {**content, **addresses})


def one_time_code(secret: str, at: float) -> str:
    """Return the six digits that an authenticator shows at a Unix time (RFC 6238); the secret is base32."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, struct.pack(">Q", int(at) // STEP_SECONDS), hashlib.sha1)
    offset = digest[-1] & 0xF
    return f"{(struct.unpack_from('>I', digest, offset)[0] & 0x7FFFFFFF) % 10**6:06d}"
