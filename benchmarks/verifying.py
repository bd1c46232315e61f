"""How quickly finops_verify.py verifies a full export, against SHA-256 over the same bytes and nothing else.

The peer is one call over the whole file. Ours cannot be that: RFC 9162 has a hash for each leaf and one for each node,
and what a line shows of a person has a salted one of its own. Each is a call from Python, 0.35 µs before its first
byte, where the peer takes 0.7 µs for a whole line. To read and split the lines and make three calls for each, comparing
nothing, comes to 0.28 of the peer: no verifier in one process of CPython gets there. docs/adr/0018 has all parts.
"""

import io
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from apps.audit import finops_verify, merkle
from apps.audit.exporting import as_line
from apps.audit.leaf import compute_leaf_hash
from apps.audit.models import AuditEntry
from apps.audit.opening import OpenedEntry
from apps.audit.sealing import SubjectKey, reveal, seal
from apps.audit.services.recording import new_entry
from apps.core.actor import system_actor
from apps.core.ids import new_id
from benchmarks.result import Result

ENTRIES, ROUNDS = 100_000, 5
_START = datetime(2026, 3, 2, 12, tzinfo=UTC)


def verify_benchmark(_environment: Mapping[str, str]) -> Iterator[Result]:
    """Yield megabytes a second of the program's own functions and of SHA-256, in turns, in processor time."""
    lines, leaves = _log()
    data = b"".join(lines)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        path.write_bytes(data)
        checkpoint = (ENTRIES, merkle.root_of_leaves(leaves), "log", Path("checkpoint"))
        ours, peer = [], []
        for _ in range(ROUNDS):
            peer.append(_rate(len(data), lambda: sha256(data).digest()))
            with redirect_stdout(io.StringIO()):
                ours.append(_rate(len(data), lambda: finops_verify.verify_export([path], [checkpoint])))
    note = f"{ENTRIES:,} entries of {len(data) // ENTRIES:,} bytes: each a leaf and a node, hashed by a call of its own"
    yield Result(name="verify", unit="MB/s", ours=ours, peer=peer, notes=[note])


def _log() -> tuple[list[bytes], list[bytes]]:
    """Return the lines and leaf hashes of a log of orders."""
    tenant, user = new_id(), new_id()
    lines, leaves = [], []
    key = SubjectKey(str(new_id()), str(user), AESGCM(bytes(32)))
    for number in range(1, ENTRIES + 1):
        opened = _opened(number, tenant, key)
        lines.append(as_line(opened))
        leaves.append(bytes(opened.entry.leaf_hash))
    return lines, leaves


def _opened(number: int, tenant: UUID, key: SubjectKey) -> OpenedEntry:
    """Return an entry as a member's, whose name is sealed; there is no database here to keep the key."""
    entry, who = _entry(number, tenant), {"ip": "192.0.2.7", "label": "ada"}
    entry.actor = {"kind": "user", "tenant_id": str(tenant), "user_id": key.subject, "request_id": str(new_id())}
    entry.personal = {"actor": seal(who, key=key, entry_id=entry.id, part="actor")}
    entry.leaf_hash = compute_leaf_hash(entry)
    salt = reveal(entry.personal["actor"], cipher=key.cipher, entry_id=entry.id, part="actor").salt
    return OpenedEntry(entry, entry.actor | who, entry.changes, {"actor": salt.hex()})


def _entry(number: int, tenant: UUID) -> AuditEntry:
    changes = {
        "account_id": [None, new_id()],
        "instrument": [None, "XNAS:AAPL"],
        "limit_price": [None, "190.25"],
        "quantity": [None, "10"],
        "side": [None, "buy"],
        "status": [None, "approved"],
    }
    entry = new_entry(
        action="order.submitted",
        actor=system_actor("benchmark", tenant_id=tenant),
        target_type="order",
        target_id=new_id(),
        now=_START + timedelta(milliseconds=number),
        changes=changes,
    )
    entry.sequence = number
    return entry


def _rate(size: int, work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return size / 1e6 / (time.process_time() - began)
