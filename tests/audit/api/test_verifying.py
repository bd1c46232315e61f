"""What docs/audit.md tells a client to do, from the API's answers to the program's verdict."""

import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.audit import finops_verify
from tests.factories.audit import make_batch, make_entries, make_rows, run_sequencer

AUDIT = "/api/v1/audit"
Verify = Callable[..., tuple[int, str]]


@pytest.fixture
def verify(tmp_path: Path) -> Verify:
    def run(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-I", "-S", finops_verify.__file__, *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.commits
def test_a_client_verifies_a_log_that_grows(
    acme: Any, acme_admin: APIClient, now: datetime, tmp_path: Path, verify: Verify
) -> None:
    def keep(name: str, path: str) -> Any:
        answer = acme_admin.get(f"{AUDIT}/{path}")
        assert answer.status_code == 200, answer.content
        (tmp_path / name).write_bytes(answer.content)
        return answer

    make_entries(acme.id, 30, now=now)
    run_sequencer(now)
    keep("key", "public-key")
    old = keep("old.txt", "checkpoint").content.decode().split("\n")[1]
    make_entries(acme.id, 30, now=now)
    batch = make_batch(acme.id, rows := make_rows(5), now=now)
    run_sequencer(now + timedelta(seconds=1))
    new = keep("new.txt", "checkpoint").content.decode().split("\n")[1]
    keep("log.jsonl", "export")
    entries = keep("entries.json", "entries?limit=20").json()["data"]
    keep("proof.json", f"proof/{entries[7]['id']}")
    keep("consistency.json", f"consistency?from={old}")
    keep("row.json", f"entries/{batch.id}/rows/{rows[3][0]}")
    keep("batch.json", f"entries?action={batch.action}")
    keep("batch-proof.json", f"proof/{batch.id}")
    known = ("--checkpoint", "old.txt", "--checkpoint", "new.txt", "--key", "key")

    assert verify("entry", "entries.json") == (0, "recomputed: 20 leaf hashes\nVERIFIED\n")
    assert verify("proof", "proof.json", *known[2:])[0] == 0
    assert verify("consistency", "consistency.json", *known)[0] == 0
    code, said = verify("row", "row.json", "batch.json")
    assert (code, said.startswith(f"verified: entry {batch.id} commits to {{'count': 5, ")) == (0, True), said
    assert verify("proof", "batch-proof.json", "batch.json", *known[2:])[0] == 0
    code, said = verify("export", "log.jsonl", *known)
    assert code == 0, said
    for size, name in ((old, "old.txt"), (new, "new.txt")):
        assert f"verified: the first {int(size)} entries are those of {name}" in said
    (tmp_path / "log.jsonl").write_bytes((tmp_path / "log.jsonl").read_bytes().replace(b'"tests"', b'"fakes"', 1))
    assert verify("export", "log.jsonl", *known)[0] == 1
