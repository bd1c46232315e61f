"""The environment that the platform's processes get: the caller's, `.env`, and what is generated once."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from finops.embedded.errors import EmbeddedError
from finops.embedded.home import Home

PROJECT = Path(__file__).resolve().parents[2]
EMBEDDED_SETTINGS = {"finops.settings.embedded", "finops.settings.test"}
# What a process that serves requests has no business knowing, and what the simulator of the outside has not.
OWNER_ONLY = {"DATABASE_OWNER_URL"}
# Connections of one web process at most; its threads are fewer, and idle ones are given back.
WEB_POOL_SIZE = "8"
KEY_FILES = {
    "FINOPS_FIELD_KEYS": "field_keys",
    "FINOPS_TOKEN_KEYS": "token_keys",
    "FINOPS_AUDIT_KEYS": "audit_keys",
}
# Web verifies no checkpoint and signs none.
WORKER_ONLY = {"FINOPS_AUDIT_KEYS", "FINOPS_AUDIT_KEYS_FILE"}
PLATFORM_PREFIXES = (
    "DATABASE_",
    "REDIS_",
    "BROKER_",
    "FINOPS_SECRET",
    "FINOPS_FIELD",
    "FINOPS_TOKEN",
    "FINOPS_AUDIT",
    "TELLER_",
)


def read_dotenv(path: Path) -> dict[str, str]:
    """Return the assignments of a `.env` file: `NAME=value`, optional quotes and `export`, `#` comments.

    Raises: EmbeddedError, naming the line that is none of these.
    """
    values: dict[str, str] = {}
    if not path.is_file():
        return values
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise EmbeddedError(f"{path}, line {number} is not NAME=value: correct or remove it.")
        value = value.strip()
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        values[name.strip()] = value[1:-1] if quoted else value.partition(" #")[0].rstrip()
    return values


def home_path(environment: Mapping[str, str]) -> Path:
    """Return FINOPS_HOME, by default `.finops` in the project."""
    return PROJECT / Path(environment.get("FINOPS_HOME") or ".finops").expanduser()


def port(environment: Mapping[str, str], name: str, default: int) -> int:
    """Return a port from the environment.

    Raises: EmbeddedError when it is no port.
    """
    value = environment.get(name, str(default))
    if not value.isdigit() or not 0 < int(value) < 65536:
        raise EmbeddedError(f"{name} must be a port number from 1 to 65535, not '{value}'.")
    return int(value)


def web_and_sandbox_port(environment: Mapping[str, str]) -> tuple[int, int]:
    """Return the ports that the web server and the provider sandbox listen on.

    Raises: EmbeddedError when one is no port, or when they are the same.
    """
    web = port(environment, "FINOPS_PORT", 8000)
    sandbox = port(environment, "FINOPS_SANDBOX_PORT", 8010)
    if web == sandbox:
        raise EmbeddedError(f"FINOPS_PORT and FINOPS_SANDBOX_PORT are both {web}: set one of them to another port.")
    return web, sandbox


def require_embedded_settings(environment: Mapping[str, str]) -> None:
    """Raise EmbeddedError when settings are chosen that must bring their own engines."""
    settings = environment.get("DJANGO_SETTINGS_MODULE", "finops.settings.embedded")
    if settings not in EMBEDDED_SETTINGS:
        raise EmbeddedError(
            f"{settings} never runs on embedded engines: set DATABASE_URL and REDIS_URL, "
            f"or unset DJANGO_SETTINGS_MODULE."
        )


def platform_environment(environment: Mapping[str, str], home: Home) -> dict[str, str]:
    """Return the caller's environment completed with addresses and with keys made once per home."""
    web, sandbox = web_and_sandbox_port(environment)
    address = environment.get("FINOPS_BASE_URL") or f"http://127.0.0.1:{web}"
    defaults = {
        "DJANGO_SETTINGS_MODULE": "finops.settings.embedded",
        "FINOPS_BASE_URL": address,
        # Ports may change with every start; what the audit logs of a home are called does not.
        "FINOPS_AUDIT_NAME": home.remember_secret("audit_name", lambda: urlsplit(address).netloc),
        "FINOPS_SANDBOX_URL": f"http://127.0.0.1:{sandbox}",
        "FINOPS_SECRET_KEY": home.secret("secret_key", nbytes=48),
        "FINOPS_SECRET_KEY_FALLBACKS": home.read("secrets.json").get("secret_key_fallbacks", ""),
        "PYTHONUNBUFFERED": "1",
    }
    if not environment.get("TELLER_WEBHOOK_SECRETS_FILE"):
        # What the sandbox's Teller signs the demo's webhooks with.
        defaults["TELLER_WEBHOOK_SECRETS"] = home.secret("teller_webhook_secret")
    # In files, which the processes follow: `rotate_keys` replaces them, and nothing restarts.
    for variable, name in KEY_FILES.items():
        if not environment.get(variable) and not environment.get(f"{variable}_FILE"):
            defaults[f"{variable}_FILE"] = str(home.key_file(name, _new_key))
    return {**defaults, **environment, "FINOPS_HOME": str(home.path)}


def for_command(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a management command, which logs in as finops_web."""
    return {name: value for name, value in environment.items() if name not in OWNER_ONLY}


def for_web(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the web processes: a command's without what workers sign with, and a pool for each."""
    own = {name: value for name, value in for_command(environment).items() if name not in WORKER_ONLY}
    return {"FINOPS_DB_POOL_SIZE": WEB_POOL_SIZE, **own}


def for_worker(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of worker and beat, which log in as finops_worker."""
    login = environment.get("DATABASE_WORKER_URL") or environment["DATABASE_URL"]
    return {**for_command(environment), "DATABASE_URL": login}


def for_sandbox(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the provider simulator: none of the platform's secrets."""
    return {name: value for name, value in environment.items() if not name.startswith(PLATFORM_PREFIXES)}


def _new_key() -> str:
    return "k1:" + base64.b64encode(secrets.token_bytes(32)).decode()
