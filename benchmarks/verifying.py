"""How quickly finops_verify.py verifies a full export, against SHA-256 over the same bytes and nothing else."""

import io
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from apps.audit import finops_verify, merkle
from apps.audit.exporting import as_line
from apps.audit.models import AuditEntry
from apps.audit.services.recording import new_entry
from apps.core.actor import Actor
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
    for number in range(1, ENTRIES + 1):
        entry = _entry(number, tenant, user)
        lines.append(as_line(entry))
        leaves.append(bytes(entry.leaf_hash))
    return lines, leaves


def _entry(number: int, tenant: UUID, user: UUID) -> AuditEntry:
    actor = Actor(kind="user", label="ada", tenant_id=tenant, user_id=user, request_id=str(new_id()), ip="192.0.2.7")
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
        actor=actor,
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
