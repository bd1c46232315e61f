"""The manifest of an archive: what it holds, in what state each file must be, and what stayed behind."""

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec

NAME = "manifest.json"
FORMAT = 1


class ArchiveRefused(Exception):
    """The archive is not what its manifest says, or does not fit in here; the message says which and why."""


class TableEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file: a row a line."""

    table: str
    file: str
    columns: list[str]
    rows: int
    bytes: int
    sha256: str
    withheld: list[str]
    rewritten: list[str]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`sha256` is of all the rest, in canonical JSON; whoever keeps it elsewhere can tell a forged archive."""

    format: int
    tenant_id: str
    slug: str
    name: str
    exported_at: str
    schema: dict[str, str]
    tables: list[TableEntry]
    left_out: dict[str, str]
    sha256: str = ""

    def digest(self) -> str:
        """Return the hash of all but `sha256`."""
        content: dict[str, Any] = msgspec.to_builtins(self)
        del content["sha256"]
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Write it, with its hash."""
        sealed = msgspec.structs.replace(self, sha256=self.digest())
        (folder / NAME).write_bytes(msgspec.json.format(msgspec.json.encode(sealed), indent=2) + b"\n")


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of an archive.

    Raises:
        ArchiveRefused: there is none, it is malformed, or it was altered.
    """
    try:
        manifest = msgspec.json.decode((folder / NAME).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise ArchiveRefused(f"{NAME} cannot be read: {error}") from error
    if manifest.format != FORMAT:
        raise ArchiveRefused(f"{NAME} has format {manifest.format}; this finops reads {FORMAT}.")
    if manifest.sha256 != manifest.digest():
        raise ArchiveRefused(f"{NAME} was altered: its hash is not {manifest.sha256}.")
    return manifest
