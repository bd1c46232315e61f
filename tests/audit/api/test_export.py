"""GET /audit/export and /audit/verifier: the log as files, and the program that verifies them."""

import csv
import json
import subprocess
import sys
from datetime import datetime, timedelta
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from rest_framework.test import APIClient

from apps.audit import finops_verify
from apps.audit.models import AuditEntry
from apps.audit.opening import OpenedEntry, open_entries
from apps.core.actor import Actor
from apps.core.scope import tenant_scope
from tests.factories.audit import make_entry, run_sequencer

URL = "/api/v1/audit/export"
USER = UUID("0198c5a0-0000-7000-8000-000000000002")


def _entries(acme: Any) -> list[OpenedEntry]:
    with tenant_scope(acme.id):
        return open_entries(AuditEntry.objects.exclude(sequence=None).order_by("sequence"))


@pytest.mark.commits
def test_lines_hold_what_the_hashes_are_over_in_the_order_of_the_log(
    acme: Any, globex: Any, acme_admin: APIClient, now: datetime
) -> None:
    for number in range(5):
        make_entry(acme.id, changes={"note": [None, f"\t{number}\n"]}, now=now + timedelta(seconds=-number))
        make_entry(globex.id, now=now)
    run_sequencer(now)
    make_entry(acme.id, now=now)  # has no place in the log yet
    answer = acme_admin.get(URL)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/jsonl")
    assert answer["Content-Disposition"] == 'attachment; filename="audit-from-1.jsonl"'
    assert "Link" not in answer
    entries, lines = _entries(acme), answer.content.splitlines(keepends=True)
    assert len(lines) == len(entries) >= 5
    for number, (opened, line) in enumerate(zip(entries, lines, strict=True), 1):
        shown = json.loads(line)
        assert (shown["sequence"], shown["leaf"]["id"]) == (number, str(opened.entry.id))
        parts = {part: {"salt": salt, "members": opened.members(part)} for part, salt in opened.salts.items()}
        assert shown["opened"] == {"actor": None, "changes": None} | parts
        assert sha256(b"\x00" + line.split(b"\t")[1]).digest() == bytes(opened.entry.leaf_hash)
    assert finops_verify.hash_lines(answer.content, 1) == [bytes(opened.entry.leaf_hash) for opened in entries]
    assert {part for opened in entries for part in opened.salts} >= {"changes"}


@pytest.mark.commits
def test_an_export_in_parts_is_the_export_in_one(acme: Any, acme_admin: APIClient, now: datetime) -> None:
    for _ in range(5):
        make_entry(acme.id, now=now)
    run_sequencer(now)
    whole = acme_admin.get(URL).content
    url, parts = f"{URL}?limit=2", []
    while url:
        answer = acme_admin.get(url)
        parts.append(answer.content)
        assert answer.content.count(b"\n") <= 2
        url = answer.headers.get("Link", "<>").split(">")[0][1:]
    assert b"".join(parts) == whole
    assert len(parts) == (whole.count(b"\n") + 1) // 2
    assert acme_admin.get(f"{URL}?from_sequence=1000").content == b""


@pytest.mark.commits
def test_filters_narrow_and_stay_in_the_link(acme: Any, acme_admin: APIClient, now: datetime) -> None:
    for action in ("order.submitted", "order.filled", "order.submitted"):
        make_entry(acme.id, action=action, now=now)
    run_sequencer(now)
    answer = acme_admin.get(f"{URL}?action=order.submitted&limit=1")
    (first,) = answer.content.splitlines()
    assert json.loads(first)["leaf"]["action"] == "order.submitted"
    following = json.loads(first)["sequence"] + 2
    assert answer["Link"] == f'<{URL}?action=order.submitted&limit=1&from_sequence={following}>; rel="next"'
    again = acme_admin.get(answer["Link"][1:].split(">")[0])
    assert json.loads(again.content)["sequence"] == following
    assert "Link" not in again


@pytest.mark.commits
def test_a_table_for_people_holds_no_formula(acme: Any, acme_admin: APIClient, now: datetime) -> None:
    trader = Actor(kind="user", label='=cmd|"/c calc"!A1', tenant_id=acme.id, user_id=USER, ip="192.0.2.7")
    changes = {"note": [None, "Grüße; 1,5"]}
    entry = make_entry(acme.id, actor=trader, target_id="@SUM(1+9)", changes=changes, now=now)
    run_sequencer(now)
    answer = acme_admin.get(URL, {"format": "csv", "actor": str(USER)})
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    (row,) = csv.DictReader(StringIO(answer.content.decode(), newline=""))
    assert row == {
        "sequence": row["sequence"],
        "at": "2026-03-02T12:00:00Z",
        "action": "order.submitted",
        "actor_kind": "user",
        "actor_label": '\'=cmd|"/c calc"!A1',
        "actor_id": str(USER),
        "target_type": "order",
        "target_id": "'@SUM(1+9)",
        "changes": '{"note":[null,"Grüße; 1,5"]}',
        "request_id": "",
        "ip": "192.0.2.7",
        "id": str(entry.id),
        "leaf_hash": bytes(entry.leaf_hash).hex(),
    }


@pytest.mark.parametrize(
    ("path", "query", "media_type"),
    [
        ("export", {}, "application/jsonl"),
        ("export", {}, "application/x-ndjson"),
        ("export", {}, "text/csv"),
        ("export", {"format": "csv"}, "text/csv"),
        ("verifier", {}, "text/x-python"),
    ],
)
def test_a_file_may_be_asked_for_by_its_media_type(
    acme_admin: APIClient, path: str, query: dict[str, str], media_type: str
) -> None:
    answer = acme_admin.get(f"/api/v1/audit/{path}", query, headers={"Accept": media_type})
    assert (answer.status_code, answer["Content-Type"].partition(";")[0]) == (200, media_type)
    refused = acme_admin.get(f"/api/v1/audit/{path}", {"nothing": "1"}, headers={"Accept": media_type})
    assert (refused.status_code, refused["Content-Type"]) == (400, "application/problem+json")
    assert acme_admin.get(f"/api/v1/audit/{path}", headers={"Accept": "application/xml"}).status_code == 406


@pytest.mark.parametrize(
    "query", [{"format": "xml"}, {"from_sequence": "0"}, {"limit": "10001"}, {"cursor": "x"}, {"since": "yesterday"}]
)
def test_a_malformed_query_is_refused(acme_admin: APIClient, query: dict[str, str]) -> None:
    answer = acme_admin.get(URL, query)
    assert (answer.status_code, answer.json()["status"]) == (400, 400)


@pytest.mark.commits
def test_an_operator_exports_the_whole_log_and_the_installations(
    acme: Any, acme_admin: APIClient, now: datetime, tmp_path: Path
) -> None:
    for _ in range(5):
        make_entry(acme.id, now=now)
    run_sequencer(now)
    for arguments, query in ((["--format", "csv"], {"format": "csv"}), (["--from", "3"], {"from_sequence": 3})):
        call_command("export_audit", "--tenant", "acme", "--to", str(tmp_path / "log"), *arguments)
        assert (tmp_path / "log").read_bytes() == acme_admin.get(URL, query).content
        (tmp_path / "log").unlink()
    call_command("export_audit", "--installation", "--to", str(tmp_path / "own"))
    assert acme_admin.get(URL).content.count(b"\n") > 0
    with pytest.raises(CommandError, match="is there already"):
        call_command("export_audit", "--installation", "--to", str(tmp_path / "own"))
    with pytest.raises(CommandError, match="no tenant 'nobody'"):
        call_command("export_audit", "--tenant", "nobody", "--to", str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_anybody_downloads_the_verifier_and_it_runs(anonymous: APIClient, tmp_path: Path) -> None:
    answer = anonymous.get("/api/v1/audit/verifier")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/x-python; charset=utf-8")
    assert answer["Content-Disposition"] == 'attachment; filename="finops_verify.py"'
    path = tmp_path / "finops_verify.py"
    path.write_bytes(answer.content)
    done = subprocess.run([sys.executable, "-I", "-S", str(path), "--help"], capture_output=True, text=True, check=True)
    assert "finops_verify.py export      EXPORT [EXPORT ...] --checkpoint CHECKPOINT" in done.stdout
