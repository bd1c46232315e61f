"""Checkpoints go to independent witnesses; a log that is not what they hold is not sent, and people are told."""

import hashlib
import hmac
import json
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from uuid import UUID

import pytest
from django.core.management import call_command

from apps.audit import finops_verify
from apps.audit.selectors import origin_of
from apps.audit.services import sign_due_checkpoints
from finops.checks import check_witnesses
from finops.witness.stores import FolderStore, open_stores
from tests.audit.witnessed import grow, incidents, send
from tests.factories.audit import NOW
from tests.tampering import found, tamper, verdicts

pytestmark = pytest.mark.worker_login
SECRET = b64encode(b"a secret of thirty-two bytes .. !").decode()


def _notes(folder: Path, tenant_id: UUID) -> list[Path]:
    return sorted((folder / quote(origin_of(tenant_id), safe="")).iterdir())


def test_a_folder_gets_a_file_a_checkpoint_which_is_written_once(acme: Any, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    grow(acme.id, 20)
    first = send(store, acme.id)
    assert (first.held, first.problem) == (0, "")
    assert send(store, acme.id).held == first.size
    grow(acme.id, 20, 1)
    second = send(store, acme.id)
    assert (second.held, second.size > first.size) == (first.size, True)
    notes = _notes(tmp_path, acme.id)
    assert [(path.name, path.stat().st_mode & 0o777) for path in notes] == [
        (f"{size:020}.txt", 0o444) for size in (first.size, second.size)
    ]
    assert [path.read_text().split("\n")[1] for path in notes] == [str(first.size), str(second.size)]
    assert incidents(acme.id) == []


def test_a_log_that_was_cut_is_not_sent_and_people_are_told(acme: Any, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    grow(acme.id, 20)
    size = send(store, acme.id).size
    left = size - 5
    tamper("DELETE FROM audit_entry WHERE tenant_id = %s AND sequence > %s", acme.id, left)
    tamper("DELETE FROM audit_checkpoint WHERE tenant_id = %s AND size > %s", acme.id, left)
    tamper("UPDATE audit_counter SET last_sequence = %s, checkpoint_size = 0 WHERE tenant_id = %s", left, acme.id)
    sign_due_checkpoints(now=NOW + timedelta(minutes=1))
    found = send(store, acme.id)
    assert found.is_contradicted
    assert incidents(acme.id) == [("critical", f"It holds a log of {size} entries, here are {left}: it was truncated.")]
    assert [int(path.stem) for path in _notes(tmp_path, acme.id)] == [size]


def test_a_log_that_was_written_anew_and_signed_is_told_from_the_one_that_was_witnessed(
    acme: Any, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path)
    grow(acme.id, 20)
    size = send(store, acme.id).size
    tamper("UPDATE audit_entry SET leaf_hash = sha256('forged') WHERE tenant_id = %s AND sequence = 7", acme.id)
    grow(acme.id, 20, 1)
    assert send(store, acme.id).is_contradicted
    assert incidents(acme.id) == [
        (
            "critical",
            f"The first {size} entries here are not those of the checkpoint that it holds: the log was forked.",
        )
    ]
    assert [int(path.stem) for path in _notes(tmp_path, acme.id)] == [size]


def test_a_note_that_nobody_here_has_signed_contradicts(acme: Any, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    grow(acme.id, 20)
    size = send(store, acme.id).size
    (note,) = _notes(tmp_path, acme.id)
    (note.parent / f"{size + 1:020}.txt").write_text(note.read_text().replace(f"\n{size}\n", f"\n{size + 1}\n"))
    assert "none of our keys has signed" in send(store, acme.id).problem


class Receiver(ThreadingHTTPServer):
    """A witness of somebody else's: it keeps what is signed, the largest of each log, and may be out of order."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.notes: dict[str, dict[str, Any]] = {}
        self.received: list[dict[str, Any]] = []
        self.status = 200


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_GET(self) -> None:
        (origin,) = parse_qs(urlsplit(self.path).query)["origin"]
        held = self.server.notes.get(origin)
        self._answer(200 if held else 404, held["note"] if held else "")

    def do_POST(self) -> None:
        data = json.loads(body)["data"] if (body := self._signed_body()) else {}
        if self.server.status == 200:
            self.server.notes[data["origin"]] = data
            self.server.received.append(data)
        self._answer(self.server.status, "")

    def _signed_body(self) -> bytes:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        content = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
        digest = hmac.digest(b64decode(SECRET), content, hashlib.sha256)
        assert self.headers["webhook-signature"] == "v1," + b64encode(digest).decode()
        return body

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.WITNESSES = [f"http://127.0.0.1:{server.server_port}/checkpoints"]
        settings.WITNESS_SECRET = f"whsec_{SECRET}"
        yield server
        server.shutdown()


def test_a_server_gets_what_lets_it_verify_by_itself(acme: Any, receiver: Receiver) -> None:
    (store,) = open_stores()
    grow(acme.id, 20)
    send(store, acme.id)
    grow(acme.id, 20, 1)
    send(store, acme.id)
    old, new = [data for data in receiver.received if data["origin"] == origin_of(acme.id)]
    assert (old["consistency"], new["consistency"]["from"]) == ({"from": 0, "path": []}, old["size"])
    roots = [bytes.fromhex(data["root_hash"]) for data in (old, new)]
    path = [bytes.fromhex(step) for step in new["consistency"]["path"]]
    finops_verify.check_consistency(old["size"], roots[0], new["size"], roots[1], path)


def test_a_server_that_fails_is_asked_again_and_contradicts_nothing(acme: Any, receiver: Receiver) -> None:
    (store,) = open_stores()
    grow(acme.id, 20)
    receiver.status = 503
    found = send(store, acme.id)
    assert (found.problem, found.is_contradicted) == (f"{store.name} answered 503", False)
    receiver.status = 200
    assert send(store, acme.id).problem == ""
    assert receiver.notes[origin_of(acme.id)]["size"] == found.size or receiver.received
    assert incidents(acme.id) == []


def test_an_operator_compares_everything(
    acme: Any, tmp_path: Path, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.WITNESSES = [f"file://{tmp_path}"]
    grow(acme.id, 20)
    size = send(FolderStore(tmp_path), acme.id).size
    call_command("witness", "check")
    assert f"{origin_of(acme.id)}: {size} of {size} entries are witnessed" in capsys.readouterr().out
    tamper("UPDATE audit_entry SET leaf_hash = sha256('forged') WHERE tenant_id = %s AND sequence = 7", acme.id)
    with pytest.raises(SystemExit, match="1"):
        call_command("witness", "check")
    assert "the log was forked" in capsys.readouterr().out
    assert incidents(acme.id) == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/x",
        "file://host/folder",
        "file:relative",
        "https://",
        "https://u:p@host/x",
        "s3://",
        "s3://u:p@bucket/x",
        "s3://bucket/x?lock=none",
    ],
)
def test_what_is_no_witness_is_refused(url: str, settings: Any) -> None:
    settings.WITNESSES = [url]
    with pytest.raises(ValueError, match="is no witness"):
        open_stores()


def test_a_server_without_a_secret_is_a_problem_of_the_settings(settings: Any) -> None:
    settings.WITNESSES, settings.WITNESS_SECRET = ["https://witness.example/checkpoints"], ""
    assert [error.id for error in check_witnesses()] == ["finops.E006"]
    settings.WITNESS_SECRET = f"whsec_{SECRET}"
    assert check_witnesses() == []
    settings.WITNESSES = ["ftp://witness.example"]
    assert [error.id for error in check_witnesses()] == ["finops.E006"]


def test_verification_asks_the_witnesses_and_proves_nothing_without_them(
    acme: Any, tmp_path: Path, settings: Any
) -> None:
    [without] = verdicts("audit.witness")
    assert (without.verdict, without.looked_at) == ("nothing", 0)
    settings.WITNESSES = [f"file://{tmp_path}"]
    grow(acme.id, 20)
    size = send(FolderStore(tmp_path), acme.id).size
    [well] = verdicts("audit.witness")
    assert (well.verdict, well.looked_at > 0) == ("passed", True)

    tamper("DELETE FROM audit_checkpoint WHERE tenant_id = %s", acme.id)
    cut = f"It holds a log of {size} entries, here are 0: it was truncated."
    assert found("audit.witness") == [("audit_checkpoint", origin_of(acme.id), f"what file://{tmp_path} holds", cut)]

    settings.WITNESSES = ["http://127.0.0.1:9/witness"]
    [unreachable] = verdicts("audit.witness")
    assert unreachable.verdict == "broken"
