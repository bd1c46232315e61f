"""Where checkpoints are kept away from our database: a folder that only grows, a locked bucket, somebody's server."""

import base64
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote, urlsplit

import httpx
from django.conf import settings

from apps.audit.notes import Checkpoint
from apps.core import clock
from apps.core.canonical import jsonable
from apps.core.guard import assert_no_transaction
from apps.webhooks.enums import Signing
from apps.webhooks.signing import SECRET_PREFIX, sign
from apps.webhooks.types import SigningKey

SECONDS = 10.0
LONGEST_NOTE = 10_000
_NOTHING = (204, 404)


class WitnessUnreachable(Exception):
    """The witness did not answer, or not as one does; it is asked again a minute later."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A signed note for a witness, what its text says, and the proof that it continues the log of size `since`."""

    note: str
    checkpoint: Checkpoint
    since: int = 0
    path: Sequence[bytes] = ()


class Store(Protocol):
    """A witness. `name` is for people and metrics; it holds no secret."""

    name: str

    def held(self, origin: str) -> str | None:
        """Return the note of the largest checkpoint that it holds of a log.

        Raises:
            WitnessUnreachable: see the class.
        """

    def keep(self, delivery: Delivery) -> bool:
        """Have it keep one more; tell whether it does: False where it has one of this size already.

        Raises:
            WitnessUnreachable: see the class.
        """


def open_stores() -> list[Store]:
    """Return the witnesses that FINOPS_WITNESS names.

    Raises:
        ValueError: one of them is none of the kinds that there are.
    """
    return [_open(url) for url in settings.WITNESSES]


def _open(url: str) -> Store:
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path.startswith("/") and not parts.netloc:
        return FolderStore(Path(unquote(parts.path)))
    if parts.scheme in ("https", "http") and parts.hostname and parts.username is None:
        return ServerStore(url)
    if parts.scheme == "s3" and parts.netloc == parts.hostname and not parts.query:
        return _open_bucket(parts.netloc, unquote(parts.path))
    forms = "file:///folder, s3://bucket/prefix or https://host/path"
    raise ValueError(f"{parts.scheme}://{parts.hostname or ''}… is no witness: {forms}")


def _open_bucket(bucket: str, path: str) -> Store:
    # AWS's library is large; who has no bucket does not load it.
    from finops.witness.bucket import BucketStore

    return BucketStore(bucket, path.strip("/"), timedelta(days=settings.WITNESS_RETAIN_DAYS))


class FolderStore:
    """A folder with a folder a log, in which a file a checkpoint is made once and never written again.

    It is as independent as what it lies on: a disk that the database's operators cannot write to, a write-once mount.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"file://{folder}"

    def held(self, origin: str) -> str | None:
        try:
            names = sorted(path.name for path in self._of(origin).iterdir() if path.suffix == ".txt")
            return (self._of(origin) / names[-1]).read_bytes().decode() if names else None
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise WitnessUnreachable(f"{self.name}: {error}") from error

    def keep(self, delivery: Delivery) -> bool:
        folder = self._of(delivery.checkpoint.origin)
        path, draft = folder / f"{delivery.checkpoint.size:020}.txt", folder / f".{os.getpid()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with draft.open("w", encoding="utf-8") as file:
                file.write(delivery.note)
                file.flush()
                os.fsync(file.fileno())
            draft.chmod(0o444)
            os.link(draft, path)  # unlike a rename, it replaces nothing
        except FileExistsError:
            return False
        except OSError as error:
            raise WitnessUnreachable(f"{self.name}: {error}") from error
        finally:
            draft.unlink(missing_ok=True)
        return True

    def _of(self, origin: str) -> Path:
        return self.folder / quote(origin, safe="")


class ServerStore:
    """A server that keeps what is POSTed and answers GET `?origin=` with the largest note it has, or 404.

    Both carry the signature of the Standard Webhooks specification, under FINOPS_WITNESS_SECRET. The body brings the
    consistency proof since the checkpoint that it held, so that it can verify by itself and refuse.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self.name = f"{parts.scheme}://{parts.netloc}{parts.path}"

    def held(self, origin: str) -> str | None:
        answer = self._ask("GET", b"", f"held-{sha256(origin.encode()).hexdigest()[:32]}", params={"origin": origin})
        return None if answer.status_code in _NOTHING else answer.text

    def keep(self, delivery: Delivery) -> bool:
        checkpoint = delivery.checkpoint
        data = {
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "root_hash": checkpoint.root_hash.hex(),
            "note": delivery.note,
            "consistency": {"from": delivery.since, "path": [step.hex() for step in delivery.path]},
        }
        now = clock.now()
        body = json.dumps({"type": "audit.checkpoint_signed", "timestamp": jsonable(now), "data": data}).encode()
        self._ask("POST", body, f"checkpoint-{sha256(checkpoint.text.encode()).hexdigest()[:32]}")
        return True

    def _ask(self, method: str, body: bytes, message_id: str, params: dict[str, str] | None = None) -> httpx.Response:
        assert_no_transaction()
        headers = {"Content-Type": "application/json", "User-Agent": "finops", **_signed(message_id, body, clock.now())}
        try:
            with httpx.Client(timeout=SECONDS, follow_redirects=False) as client:
                answer = client.request(method, self.url, content=body, headers=headers, params=params)
        except httpx.HTTPError as error:
            raise WitnessUnreachable(f"{self.name}: {type(error).__name__}") from error
        is_nothing = method == "GET" and answer.status_code in _NOTHING
        if not (answer.is_success or is_nothing) or len(answer.content) > LONGEST_NOTE:
            raise WitnessUnreachable(f"{self.name} answered {answer.status_code}")
        return answer


def _signed(message_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """Return the headers of the Standard Webhooks specification."""
    key = SigningKey(Signing.SYMMETRIC, base64.b64decode(settings.WITNESS_SECRET.removeprefix(SECRET_PREFIX)))
    timestamp = int(now.timestamp())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(message_id, timestamp, body, [key]),
    }
