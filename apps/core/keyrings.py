"""The installation's rings of keys: "id:base64,id:base64"; the first encrypts or signs, all decrypt or verify.

A ring comes from the environment, or from a file (`FINOPS_FIELD_KEYS_FILE`). A file is looked at again at every use, so
that its keys are rotated without restarting anything: once it has been replaced, nobody encrypts under another key
than its first, and everybody who meets a key has a file that holds it. Replace it by renaming; it is never half there.
"""

import base64
import logging
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from django.conf import settings

logger = logging.getLogger(__name__)

Ring = Literal["FIELD_KEYS", "TOKEN_KEYS", "AUDIT_KEYS"]


class _Seen(NamedTuple):
    """A file as it was last read, and how to tell that it has changed."""

    mark: tuple[int, int, int]
    keys: dict[str, bytes]


_seen: dict[str, _Seen] = {}


def keys_of(ring: Ring) -> dict[str, bytes]:
    """Return {id: 32 bytes} of a ring; the first is the current key.

    A file that is gone or damaged is reported, and what it held before still counts.

    Raises:
        ValueError: it never held a ring.
    """
    file = getattr(settings, f"{ring}_FILE")
    return _read(file) if file else parse_keys(getattr(settings, ring))


def current_key_id(ring: Ring) -> str:
    """Return the id of the key that encrypts or signs now."""
    return next(iter(keys_of(ring)))


@lru_cache(maxsize=4)
def parse_keys(text: str) -> dict[str, bytes]:
    """Return {id: 32 bytes} from "id:base64,id:base64"; the first is the current key.

    Raises:
        ValueError: a part is malformed, a key is not 32 bytes, an id comes twice, or there is none.
    """
    keys: dict[str, bytes] = {}
    for number, (key_id, encoded) in enumerate(_parts(text), start=1):
        try:
            key = base64.b64decode(encoded, validate=True)
        except ValueError:
            key = b""
        if not key_id.isalnum() or len(key) != 32:
            # By its number: where the id was forgotten, what stands in its place is the key.
            raise ValueError(f"key number {number} must be id:base64 of 32 bytes") from None
        if key_id in keys:
            raise ValueError(f"the id {key_id!r} is given to two keys")
        keys[key_id] = key
    if not keys:
        raise ValueError("no key is given")
    return keys


def render_keys(keys: dict[str, bytes]) -> str:
    """Return the text of a ring, its current key first."""
    return ",".join(f"{key_id}:{base64.b64encode(key).decode()}" for key_id, key in keys.items())


def _parts(text: str) -> Iterator[tuple[str, str]]:
    for part in filter(None, (part.strip() for part in text.split(","))):
        key_id, _colon, encoded = part.partition(":")
        yield key_id, encoded


def _read(file: str) -> dict[str, bytes]:
    """Return the keys in a file; one `stat` (some 2 µs) tells that it is as it was."""
    seen = _seen.get(file)
    try:
        status = Path(file).stat()
        mark = (status.st_mtime_ns, status.st_ino, status.st_size)
        if seen is None or seen.mark != mark:
            seen = _seen[file] = _Seen(mark, parse_keys(Path(file).read_text(encoding="utf-8").strip()))
    except (OSError, ValueError) as error:
        if seen is None:
            raise ValueError(f"the keys cannot be read: {error}") from error
        logger.error("keys.unreadable", extra={"file": file, "error": str(error)})
    return seen.keys
