"""Checkpoint, proofs and keys over the API: what a client needs to verify the log with SHA-256 and Ed25519 alone."""

import base64
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.audit import merkle
from apps.audit.models import AuditEntry
from apps.audit.notes import Checkpoint, VerifierKey, open_note
from apps.audit.services import CHECKPOINT_INTERVAL
from apps.core.ids import new_id
from apps.core.scope import tenant_scope
from tests.factories.audit import make_entries, make_entry, run_sequencer

pytestmark = pytest.mark.commits

URL = "/api/v1/audit/"


def _get(client: APIClient, path: str, **query: Any) -> Any:
    response = client.get(URL + path, query)
    assert response.status_code == 200, response.content
    return response.json()


def _key(vkey: str) -> VerifierKey:
    name, _hash, key = vkey.split("+", 2)
    verifier = VerifierKey(name, base64.b64decode(key)[1:])
    assert str(verifier) == vkey
    return verifier


def _checkpoint(client: APIClient) -> Checkpoint:
    """Return the latest checkpoint as a client that knows the public key reads it."""
    response = client.get(URL + "checkpoint")
    assert (response.status_code, response["Content-Type"]) == (200, "text/plain; charset=utf-8")
    key = _key(_get(client, "public-key")["vkey"])
    return Checkpoint.from_text(open_note(response.content.decode(), [key]))


def _hashes(path: list[str]) -> list[bytes]:
    assert [text for text in path if text != text.lower() or len(text) != 64] == []
    return [bytes.fromhex(text) for text in path]


def test_a_client_proves_an_entry_against_a_checkpoint(acme: Any, acme_admin: APIClient, now: datetime) -> None:
    make_entries(acme.id, 300, now=now)
    run_sequencer(now)
    checkpoint = _checkpoint(acme_admin)
    assert (checkpoint.origin, checkpoint.size) == (f"testserver/audit/{acme.id}", _size(acme))
    for entry in _get(acme_admin, "entries", limit=5)["data"]:
        proof = _get(acme_admin, f"proof/{entry['id']}")
        assert list(proof) == ["entry_id", "index", "tree_size", "leaf_hash", "path", "root_hash"]
        assert (proof["entry_id"], proof["leaf_hash"]) == (entry["id"], entry["leaf_hash"])
        assert (proof["index"], proof["tree_size"]) == (entry["sequence"] - 1, checkpoint.size)
        assert proof["root_hash"] == checkpoint.root_hash.hex()
        assert merkle.includes(
            leaf=bytes.fromhex(entry["leaf_hash"]),
            index=proof["index"],
            size=proof["tree_size"],
            path=_hashes(proof["path"]),
            root=checkpoint.root_hash,
        )


def test_a_log_keeps_its_name_when_the_platform_moves_to_another_host(
    acme: Any, acme_admin: APIClient, settings: Any, now: datetime
) -> None:
    settings.AUDIT_NAME, settings.BASE_URL = "testserver", "https://moved.example"
    make_entries(acme.id, 1, now=now)
    run_sequencer(now)
    assert _checkpoint(acme_admin).origin == _get(acme_admin, "public-key")["origin"] == f"testserver/audit/{acme.id}"


def test_a_client_proves_that_the_log_has_only_grown(acme: Any, acme_admin: APIClient, now: datetime) -> None:
    held = []
    for round_number in range(3):
        make_entries(acme.id, 40, now=now)
        run_sequencer(now + round_number * CHECKPOINT_INTERVAL)
        held.append(_checkpoint(acme_admin))
    for older in held:
        grown = _get(acme_admin, "consistency", **{"from": older.size})
        assert list(grown) == ["from", "to", "path", "from_root", "to_root"]
        assert (grown["from"], grown["to"]) == (older.size, held[-1].size)
        assert (grown["from_root"], grown["to_root"]) == (older.root_hash.hex(), held[-1].root_hash.hex())
        newer_root, path = held[-1].root_hash, _hashes(grown["path"])
        assert merkle.is_consistent(
            older=older.size, older_root=older.root_hash, newer=held[-1].size, newer_root=newer_root, path=path
        )
    between = _get(acme_admin, "consistency", **{"from": held[0].size, "to": held[1].size})
    assert between["to_root"] == held[1].root_hash.hex()
    nothing = _get(acme_admin, "consistency", **{"from": 0, "to": held[0].size})
    assert (nothing["path"], nothing["from_root"]) == ([], merkle.EMPTY_ROOT.hex())


def test_an_older_tree_can_be_asked_for(acme: Any, acme_admin: APIClient, now: datetime) -> None:
    entry = make_entry(acme.id, now=now)
    run_sequencer(now)
    older = _checkpoint(acme_admin)
    make_entries(acme.id, 5, now=now)
    run_sequencer(now + CHECKPOINT_INTERVAL)
    proof = _get(acme_admin, f"proof/{entry.id}", tree_size=older.size)
    assert (proof["tree_size"], proof["root_hash"]) == (older.size, older.root_hash.hex())


def test_what_no_checkpoint_covers_yet_is_said_so(acme: Any, acme_admin: APIClient, now: datetime) -> None:
    early = make_entry(acme.id, now=now)
    for path in ("checkpoint", f"proof/{early.id}", "consistency?from=0"):
        refusal = acme_admin.get(URL + path)
        assert (refusal.status_code, refusal.json()["code"]) == (503, "not_in_checkpoint_yet"), path
        assert (refusal["Retry-After"], refusal["Content-Type"]) == ("1", "application/problem+json")
    run_sequencer(now)
    late = make_entry(acme.id, now=now)
    assert acme_admin.get(f"{URL}proof/{late.id}").status_code == 503
    run_sequencer(now)  # numbered, but the next checkpoint is not due yet
    assert acme_admin.get(f"{URL}proof/{late.id}").status_code == 503
    assert _get(acme_admin, f"proof/{early.id}")["tree_size"] == _size(acme) - 1


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("consistency", "from"),
        ("consistency?from=x", "from"),
        ("consistency?from=-1", "from"),
        ("consistency?from=2&to=1", "from"),
        ("consistency?from=1&to=99999", "to"),
        ("consistency?from=99999", "from"),
        ("consistency?from=1&to=9223372036854775808", "to"),
        ("proof/{entry}?tree_size=0", "tree_size"),
        ("proof/{entry}?tree_size=99999", "tree_size"),
        ("proof/{entry}?tree_size=1", "tree_size"),
    ],
)
def test_sizes_that_the_log_does_not_have_are_named(
    path: str, field: str, acme: Any, acme_admin: APIClient, now: datetime
) -> None:
    make_entries(acme.id, 2, now=now)
    run_sequencer(now)
    with tenant_scope(acme.id):
        entry = AuditEntry.objects.latest("sequence")
    refusal = acme_admin.get(URL + path.format(entry=entry.id))
    assert (refusal.status_code, refusal.json()["code"]) == (400, "validation_failed")
    assert [error["field"] for error in refusal.json()["errors"]] == [field]


def test_an_entry_of_nobody_and_of_another_tenant_is_not_found(
    acme: Any, globex: Any, acme_admin: APIClient, now: datetime
) -> None:
    theirs = make_entry(globex.id, now=now)
    run_sequencer(now)
    for entry_id in (theirs.id, new_id()):
        assert acme_admin.get(f"{URL}proof/{entry_id}").status_code == 404


def test_the_keys_are_listed_and_as_text_alone(acme: Any, acme_admin: APIClient, now: datetime) -> None:
    nobody = _get(acme_admin, "public-key")
    assert nobody == {"origin": f"testserver/audit/{acme.id}", "vkey": None, "public_key": None, "keys": []}
    make_entry(acme.id, now=now)
    run_sequencer(now)
    shown = _get(acme_admin, "public-key")
    key = _key(shown["vkey"])
    assert (key.name, key.public_key.hex()) == (shown["origin"], shown["public_key"])
    assert shown["keys"] == [
        {
            "id": "t1",
            "algorithm": "ed25519",
            "name": shown["origin"],
            "vkey": shown["vkey"],
            "public_key": key.public_key.hex(),
            "valid_from": "2026-03-02T12:00:00Z",
            "valid_until": None,
        }
    ]
    text = acme_admin.get(f"{URL}public-key", headers={"Accept": "text/plain"})
    assert (text["Content-Type"], text.content.decode()) == ("text/plain; charset=utf-8", shown["vkey"] + "\n")


def test_a_client_that_asks_for_json_wherever_it_goes_gets_the_note(
    acme: Any, acme_admin: APIClient, now: datetime
) -> None:
    make_entry(acme.id, now=now)
    run_sequencer(now)
    note = acme_admin.get(f"{URL}checkpoint", headers={"Accept": "application/json"})
    assert (note.status_code, note["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert note.content == acme_admin.get(f"{URL}checkpoint").content


def test_a_proof_reads_no_more_of_a_longer_log(acme: Any, acme_admin: APIClient, now: datetime) -> None:
    entry = make_entry(acme.id, now=now)
    counts = []
    for round_number, count in enumerate((10, 600)):
        make_entries(acme.id, count, now=now)
        run_sequencer(now + round_number * CHECKPOINT_INTERVAL)
        run_sequencer(now + (round_number + 5) * CHECKPOINT_INTERVAL)
        with CaptureQueriesContext(connection) as queries:
            _get(acme_admin, f"proof/{entry.id}")
        counts.append(sum('"audit_' in query["sql"] for query in queries.captured_queries))
    assert counts == [3, 5]  # entry, checkpoint, tail; and then a tile, and the roots of tiles


def _size(tenant: Any) -> int:
    with tenant_scope(tenant.id):
        return AuditEntry.objects.filter(sequence__isnull=False).count()
