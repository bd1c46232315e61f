"""The last commitment to each row: of every batch, in the order of the log, numbered or not."""

from hashlib import sha256
from uuid import UUID

import pytest

from apps.audit.commitments import Commitment, Commitments
from apps.audit.services import record_batch, sequence_entries
from apps.core.actor import system_actor
from apps.core.scope import snapshot_scope, tenant_scope, write_scope
from tests.factories.audit import NOW, make_batch, make_rows

ACME = UUID("0198c5a0-0000-7000-8000-00000000000a")
ACTIONS = ("accounts.synced",)
FIRST, LAST = UUID(int=0), UUID(int=2**128 - 1)
ROWS = [UUID(int=number) for number in (1, 2, 3)]


def said_of(said: Commitments) -> dict[int, Commitment]:
    return {int.from_bytes(row_id): commitment for row_id, commitment in said.of_row.items()}


@pytest.mark.worker_login
def test_whoever_wrote_a_row_last_is_believed(acme) -> None:
    def write(*rows: tuple[UUID, bytes]) -> UUID:
        return make_batch(acme.id, [(str(row_id), data) for row_id, data in rows]).id

    def hash_of(data: bytes) -> bytes:
        return sha256(b"\x00" + data).digest()

    one, two, three = ROWS
    write((one, b"a"), (two, b"a"))
    sequence_entries(now=NOW)
    second = write((two, b"b"), (three, b"b"))
    said = Commitments(acme.id, ACTIONS, after=FIRST, until=LAST)
    with snapshot_scope():
        assert said.read_on() is False
        assert said_of(said).keys() == {1, 2}
        said.catch_up()
    assert said_of(said)[2] == (hash_of(b"b"), second, 0)
    third = write((two, b"c"))
    with snapshot_scope():
        said.catch_up()
    # That the second one is numbered now is no news of its rows.
    sequence_entries(now=NOW)
    with snapshot_scope():
        said.catch_up()
    assert said_of(said)[2] == (hash_of(b"c"), third, 0)
    assert said_of(said)[3] == (hash_of(b"b"), second, 1)


def test_rows_of_a_range_are_taken_alone(now) -> None:
    entry = make_batch(ACME, [(str(row_id), b"row") for row_id in ROWS], now=now)
    for after, until, rows in ((0, 1, [1]), (1, 3, [2, 3]), (3, 9, [])):
        said = Commitments(ACME, ACTIONS, after=UUID(int=after), until=UUID(int=until))
        with tenant_scope(ACME):
            said.catch_up()
        assert list(said_of(said)) == rows
        assert all(commitment.behind == row - 1 for row, commitment in zip(rows, said.of_row.values(), strict=True))
        assert all(commitment.entry_id == entry.id for commitment in said.of_row.values())


def test_other_actions_and_other_logs_say_nothing(now) -> None:
    make_batch(ACME, make_rows(2), now=now)
    for tenant_id, action in ((ACME, "transaction.updated"), (UUID(int=7), "accounts.synced")):
        said = Commitments(tenant_id, [action], after=FIRST, until=LAST)
        with tenant_scope(tenant_id):
            said.catch_up()
        assert said.of_row == {}


@pytest.mark.worker_login
def test_more_batches_than_are_read_at_once(acme) -> None:
    """The same row in each of 130 batches, and one that is in the first alone."""
    actor, steady = system_actor("tests", tenant_id=acme.id), make_rows(1)[0]
    with write_scope(actor):
        for number in range(130):
            rows = [(str(ROWS[0]), str(number).encode()), *([steady] if number == 0 else [])]
            record_batch(
                action=ACTIONS[0],
                actor=actor,
                target_type="sync_run",
                target_id=str(number),
                now=NOW,
                rows=rows,
                summary={},
            )
    last = sha256(b"\x00129").digest()

    def read(*, in_steps: bool) -> int:
        said, steps = Commitments(acme.id, ACTIONS, after=FIRST, until=LAST), 1
        with snapshot_scope():
            while in_steps and said.read_on():
                steps += 1
            said.catch_up()
        assert said.of_row.keys() == {ROWS[0].bytes, UUID(steady[0]).bytes}
        assert said.of_row[ROWS[0].bytes].row_hash == last
        return steps

    assert read(in_steps=False) == 1
    while sequence_entries(now=NOW):
        pass
    assert read(in_steps=True) == 3
