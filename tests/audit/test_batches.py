"""Batches: a row is proved to be in the batch that one leaf commits to, with SHA-256 alone."""

from hashlib import sha256
from random import Random
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection

from apps.audit import merkle
from apps.audit.models import AuditBatchChunk, AuditEntry
from apps.audit.selectors import prove_row
from apps.core.errors import NotFound
from apps.core.ids import new_id
from apps.core.scope import staff_scope, tenant_scope
from tests.factories.audit import make_batch, make_entry, make_rows

ACME = UUID("0198c5a0-0000-7000-8000-00000000000a")
GLOBEX = UUID("0198c5a0-0000-7000-8000-00000000000b")


def _is_proved(entry: AuditEntry, rows: list[tuple[str, bytes]], index: int) -> bool:
    row_id, data = rows[index]
    with tenant_scope(ACME):
        proof = prove_row(tenant_id=ACME, entry_id=entry.id, row_id=UUID(row_id))
    assert (proof.entry_id, str(proof.row_id), proof.index, proof.count) == (entry.id, row_id, index, len(rows))
    assert proof.row_hash == sha256(b"\x00" + data).digest()
    assert proof.batch_root.hex() == entry.changes["batch"]["merkle_root"]
    return merkle.includes(
        leaf=proof.row_hash,
        index=index,
        size=len(rows),
        path=proof.path,
        root=merkle.root_of_rows([r for _, r in rows]),
    )


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 1023, 1024, 1025, 2047, 2048, 2049, 3073, 5000])
def test_every_row_of_a_batch_is_proved(size: int, now: Any) -> None:
    rows = make_rows(size)
    entry = make_batch(ACME, rows, now=now)
    edges = {0, 1, size // 2, size - 2, size - 1, 1022, 1023, 1024, 1025, 2047, 2048}
    for index in sorted(edges & set(range(size)) | {Random(size).randrange(size)}):
        assert _is_proved(entry, rows, index), index


def test_chunks_hold_a_thousand_and_twenty_four_rows(now: Any) -> None:
    entry = make_batch(ACME, make_rows(2050), now=now)
    with tenant_scope(ACME):
        chunks = list(AuditBatchChunk.objects.filter(entry_id=entry.id).order_by("index"))
    assert [(row.index, len(row.row_ids), len(row.row_hashes)) for row in chunks] == [
        (0, 16_384, 32_768),
        (1, 16_384, 32_768),
        (2, 32, 64),
    ]


def test_bytes_of_an_id_across_two_others_are_no_row(now: Any) -> None:
    one, other = UUID(int=0x11 << 120 | 0xAB), UUID(int=0xCD << 120 | 0x22)
    across = UUID(bytes=(one.bytes + other.bytes)[8:24])
    rows = [(str(one), b"1"), (str(other), b"2")]
    entry = make_batch(ACME, rows, now=now)
    with tenant_scope(ACME), pytest.raises(NotFound):
        prove_row(tenant_id=ACME, entry_id=entry.id, row_id=across)
    later = make_batch(ACME, [*rows, (str(across), b"3")], now=now)
    assert _is_proved(later, [*rows, (str(across), b"3")], 2)


def test_what_is_not_there_is_not_found(now: Any) -> None:
    rows, others = make_rows(3), make_rows(2)
    batch, other, single = make_batch(ACME, rows, now=now), make_batch(ACME, others, now=now), make_entry(ACME, now=now)
    empty = make_batch(ACME, [], now=now)
    row = UUID(rows[0][0])
    for tenant_id, entry_id, row_id in (
        (GLOBEX, batch.id, row),
        (ACME, other.id, row),
        (ACME, single.id, row),
        (ACME, empty.id, row),
        (ACME, new_id(), row),
        (ACME, batch.id, new_id()),
    ):
        with tenant_scope(tenant_id), pytest.raises(NotFound):
            prove_row(tenant_id=tenant_id, entry_id=entry_id, row_id=row_id)
    with tenant_scope(GLOBEX):
        assert AuditBatchChunk.objects.count() == 0


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_batch_chunk SET index = 9", "DELETE FROM audit_batch_chunk", "TRUNCATE audit_batch_chunk"],
)
def test_chunks_are_never_changed(statement: str, now: Any) -> None:
    make_batch(ACME, make_rows(3), now=now)
    with tenant_scope(ACME):
        before = list(AuditBatchChunk.objects.values())
    with pytest.raises(DatabaseError), staff_scope(), connection.cursor() as cursor:
        cursor.execute(statement)
    with tenant_scope(ACME):
        assert list(AuditBatchChunk.objects.values()) == before
