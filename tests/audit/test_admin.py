"""What staff see of checkpoints and of an entry's proof."""

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from django.db import connection
from django.test import Client

from apps.audit.admin.proofs import standing_of
from apps.audit.models import AuditCheckpoint, AuditEntry
from apps.audit.notes import SigningKey, sign
from apps.core.ids import new_id
from apps.core.scope import staff_scope
from apps.tenants.models import Tenant
from tests.backoffice.staff import enrol, open_session
from tests.factories.audit import NOW, make_entries, make_entry, run_sequencer
from tests.tampering import tamper
from tests.threads import begin

pytestmark = pytest.mark.commits


@pytest.fixture
def newest(acme) -> AuditEntry:
    make_entries(acme.id, 300)
    entry = make_entry(acme.id)
    run_sequencer()
    return entry


@pytest.fixture
def client(staff) -> Client:
    return open_session(staff, enrol(staff))


def _text(client: Client, path: str) -> str:
    response = client.get(f"/admin/audit/{path}")
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def _head(entry: AuditEntry) -> AuditCheckpoint:
    with staff_scope():
        return AuditCheckpoint.objects.filter(tenant_id=entry.tenant_id).latest("size")


def test_a_checkpoint_shows_its_note_and_who_signed_it(newest: AuditEntry, client: Client) -> None:
    head = _head(newest)
    listed = _text(client, "auditcheckpoint/?which=heads")
    assert bytes(head.root_hash).hex() in listed
    page = _text(client, f"auditcheckpoint/{head.pk}/change/")
    for line in head.note.split():
        assert line.replace("+", "&#x2B;") in page or line in page
    assert "by key t1" in page
    assert "does not verify" not in page


def test_a_forged_checkpoint_says_what_to_do(newest: AuditEntry, client: Client) -> None:
    head = _head(newest)
    text = head.note.rpartition("\n\n")[0] + "\n"
    forged = sign(text, [SigningKey(text.partition("\n")[0], b"z" * 32)])
    tamper("UPDATE audit_checkpoint SET note = %s WHERE id = %s", forged, head.id)
    page = _text(client, f"auditcheckpoint/{head.pk}/change/")
    assert "The checkpoint does not verify" in page
    assert "No key that is known has signed the note." in page


def test_an_entry_shows_its_path_to_the_root_that_was_signed(newest: AuditEntry, client: Client) -> None:
    page = _text(client, f"auditentry/{newest.pk}/change/")
    assert "Place in the tree" in page
    assert bytes(_head(newest).root_hash).hex() in page
    assert "holds" in page


def test_an_entry_of_a_log_that_grows_meanwhile_is_proved(newest: AuditEntry) -> None:
    """Whichever checkpoint is signed between two queries of the page, it is not taken for another tree."""
    signed: list[str] = []

    def grow() -> None:
        assert newest.tenant_id is not None
        make_entry(newest.tenant_id)
        run_sequencer(now=NOW + timedelta(seconds=1))

    def sign_another(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        answer = execute(sql, *arguments)
        if "audit_checkpoint" in sql and not signed:
            signed.append(sql)
            begin(grow).result(20)
        return answer

    size = _head(newest).size
    with staff_scope(), connection.execute_wrapper(sign_another):
        entry = AuditEntry.objects.get(pk=newest.pk)
        standing = standing_of(entry)
    assert _head(newest).size == size + 1
    assert (standing.wrong, standing.proof and standing.proof.tree_size) == ("", size)


def test_an_entry_that_no_checkpoint_covers_waits(newest: AuditEntry, client: Client) -> None:
    assert newest.tenant_id is not None
    waiting = make_entry(newest.tenant_id)
    page = _text(client, f"auditentry/{waiting.pk}/change/")
    assert "the next checkpoint covers it" in page
    assert "cannot be proved" not in page


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("actor = '{}'", "not what its leaf hash commits to"),
        ("sequence = 9000", "not yet"),
        ("leaf_hash = sha256('x')", "not what its leaf hash commits to"),
    ],
)
def test_an_entry_that_was_changed_is_told(newest: AuditEntry, client: Client, change: str, said: str) -> None:
    tamper(f"UPDATE audit_entry SET {change} WHERE id = %s", newest.pk)
    assert said in _text(client, f"auditentry/{newest.pk}/change/")


def test_an_entry_in_a_damaged_tree_cannot_be_proved(newest: AuditEntry, client: Client) -> None:
    tamper("DELETE FROM audit_entry WHERE tenant_id = %s AND sequence = 290", newest.tenant_id)
    page = _text(client, f"auditentry/{newest.pk}/change/")
    assert "This entry cannot be proved" in page
    assert "The tree of its log is damaged" in page


def test_the_evidence_of_an_entry_is_verified_offline(
    newest: AuditEntry, client: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    where = f"/admin/audit/auditentry/{newest.pk}/evidence/"
    assert f'href="{where}"' in _text(client, f"auditentry/{newest.pk}/change/")
    with staff_scope():
        entries = AuditEntry.objects.count()
    answer = client.get(where)
    # As of whatever is read, the web layer's line tells of it, and no audit log.
    assert [record.getMessage() for record in caplog.records if vars(record).get("path") == where] == [
        "request.finished"
    ]
    with staff_scope():
        assert AuditEntry.objects.count() == entries
    assert answer["Content-Disposition"] == f'attachment; filename="evidence-{newest.pk}.zip"'
    ZipFile(BytesIO(answer.content)).extractall(tmp_path)
    command = next(
        line for line in (tmp_path / "README.txt").read_text().splitlines() if "finops_verify.py proof" in line
    )
    verify = [sys.executable, "-I", "-S", *command.split()[1:]]
    said = subprocess.run(verify, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=20)
    assert said.stdout.endswith("VERIFIED\n")
    entry = tmp_path / "entry.json"
    entry.write_text(entry.read_text().replace("order.submitted", "order.denied"))
    assert subprocess.run(verify, cwd=tmp_path, capture_output=True, check=False, timeout=20).returncode == 1


def test_what_nothing_proves_yet_has_no_evidence(acme: Tenant, client: Client) -> None:
    entry = make_entry(acme.id)
    answer = client.get(f"/admin/audit/auditentry/{entry.pk}/evidence/")
    assert (answer.status_code, answer["Location"]) == (302, f"/admin/audit/auditentry/{entry.pk}/change/")
    assert client.get(f"/admin/audit/auditentry/{new_id()}/evidence/").status_code == 404
