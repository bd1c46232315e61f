"""Reads settings from the environment, each with a `NAME_FILE` variant for mounted secrets.

Nothing raises here: a value that is missing or malformed is remembered in `PROBLEMS`, and the system checks
(`finops.checks`) report all of them at once, with ids, before a process starts to serve.
"""

import os
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

PROBLEMS: list[str] = []
MOST = 2**31 - 1  # what the database and the time-outs of sockets take

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}
_HOST = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")
_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::(?!80$|443$)[0-9]{1,5})?")


def text(name: str, default: str = "", *, required: bool = False) -> str:
    """Return `NAME`, or the content of the file that `NAME_FILE` points to, or the default."""
    value = os.environ.get(name)
    file = os.environ.get(f"{name}_FILE")
    if value and file:
        PROBLEMS.append(f"{name} and {name}_FILE are both set; set one.")
    if not value and file:
        try:
            value = Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            PROBLEMS.append(f"{name}_FILE cannot be read: {error.strerror}.")
    if not value and required:
        PROBLEMS.append(f"{name} is not set (nor {name}_FILE).")
    return value or default


def file_of(name: str) -> str:
    """Return the file that `NAME` is read from, or nothing where the variable itself is set."""
    return "" if os.environ.get(name) else os.environ.get(f"{name}_FILE", "")


def integer(name: str, default: int, *, most: int = MOST) -> int:
    """Return `NAME` as a whole number from 0 to `most`."""
    value = text(name, str(default))
    if not (value.isascii() and value.isdigit()):
        PROBLEMS.append(f"{name} must be a whole number, not {value!r}.")
    elif int(value) > most:
        PROBLEMS.append(f"{name} must be at most {most}, not {value}.")
    else:
        return int(value)
    return default


def boolean(name: str, default: bool) -> bool:
    """Return `NAME` as a yes or no."""
    value = text(name, str(default)).lower()
    if value not in _TRUE | _FALSE:
        PROBLEMS.append(f"{name} must be true or false, not {value!r}.")
        return default
    return value in _TRUE


def items(name: str, default: str = "") -> list[str]:
    """Return `NAME` split at commas, without empty parts."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def rates(name: str, default: str) -> dict[str, tuple[int, ...]]:
    """Return `NAME`, such as `key=100/200/50,address=50/100`, over the default.

    {what: (requests a second, at once, in flight)}; without the last, any number may be in flight.
    """
    found: dict[str, tuple[int, ...]] = {}
    for item in [*default.split(","), *items(name)]:
        what, _equals, rate = item.partition("=")
        numbers = rate.split("/")
        if len(numbers) in (2, 3) and all(number.isdigit() and int(number) for number in numbers):
            found[what] = tuple(map(int, numbers))
        else:
            PROBLEMS.append(f"{name} must be rates such as key=100/200 or key=100/200/50, not {item!r}.")
    return found


def networks(name: str, default: str = "") -> list[IPv4Network | IPv6Network]:
    """Return `NAME` as networks in CIDR notation; an address is a network of one."""
    found = []
    for item in items(name, default):
        try:
            found.append(ip_network(item))
        except ValueError:
            PROBLEMS.append(f"{name} must be networks such as 10.0.0.0/8, not {item!r}.")
    return found


def origins(name: str) -> list[str]:
    """Return `NAME` as origins, as a browser names them: scheme, host and a port that is not the scheme's own."""
    found = []
    for item in items(name):
        if _ORIGIN.fullmatch(item):
            found.append(item)
        else:
            PROBLEMS.append(f"{name} must be origins such as https://app.example.com, not {item!r}.")
    return found


def host(name: str) -> str:
    """Return `NAME` as a host, with or without a port."""
    value = text(name)
    if value and not _HOST.fullmatch(value):
        PROBLEMS.append(f"{name} must be a host such as finops.example.com, not {value!r}.")
        return ""
    return value


def database(name: str, *, required: bool = False) -> dict[str, Any]:
    """Return the Django database entry for a `postgresql://` URL or a libpq connection string."""
    url = text(name, required=required)
    if not url:
        return {}
    try:
        parts = conninfo_to_dict(url)
    except ProgrammingError as error:
        PROBLEMS.append(f"{name} is not a PostgreSQL URL: {error}.")
        return {}
    known = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    entry: dict[str, Any] = {django: str(parts.pop(libpq, "") or "") for libpq, django in known.items()}
    entry["OPTIONS"] = {key: str(value) for key, value in parts.items() if value is not None}
    return entry
