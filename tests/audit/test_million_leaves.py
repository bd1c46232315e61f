"""Proofs in a log of a million entries: how long they are, what they read, and how long the server takes (printed)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from statistics import median
from time import process_time
from typing import Any
from uuid import UUID

import pytest
from rest_framework.test import APIClient

from apps.audit import merkle
from apps.audit.models import AuditTile
from apps.audit.selectors import prove_inclusion
from apps.audit.services.growing import grow, sign_due_checkpoints
from apps.core.scope import system_scope, tenant_scope
from apps.core.sequencing import Numbered
from tests import databases
from tests.plans.reading import tell_plans, told_plans

pytestmark = [pytest.mark.prove, pytest.mark.commits, pytest.mark.long]

SIZE = 1_000_000
# Of tiles the row, its index and its toast; of tails up to 255 entries or tiles, each perhaps in a block of its own;
# and what tells who asks.
BLOCKS = 1_200
_FILL = """
INSERT INTO audit_entry (id, tenant_id, action, actor, target_type, target_id, changes, personal, request_id,
                         traceparent, at, schema_version, leaf_hash, sequence)
SELECT gen_random_uuid(), %(tenant)s, 'order.submitted', '{}', 'order', n::text, '{}', '{}', '', '', %(now)s, 2,
       sha256(n::text::bytea), n
FROM generate_series(1, %(size)s) AS n
"""


@contextmanager
def _without_other_indexes(owner: databases.Owner) -> Iterator[None]:
    """Fill the table without the indexes that proofs do not use: they would take most of the time."""
    names = ("at", "action_at", "actor_at", "target_at", "target_type_at")
    for name in names:
        owner.execute(f"DROP INDEX IF EXISTS audit_entry_{name}")
    yield


def test_a_million_leaves(acme: Any, acme_admin: APIClient, database: str, now: datetime) -> None:
    with databases.as_owner(database) as owner, _without_other_indexes(owner):
        owner.execute("SET session_replication_role = replica")
        owner.execute("DELETE FROM audit_entry WHERE tenant_id = %s", [acme.id])
        owner.execute(_FILL, {"tenant": acme.id, "now": now, "size": SIZE})
        owner.execute(
            "INSERT INTO audit_counter (id, tenant_id, last_sequence) VALUES (gen_random_uuid(), %s, %s)",
            [acme.id, SIZE],
        )
        databases.log_in("worker", database)
        with system_scope():
            grow(Numbered(acme.id, 1, SIZE, now))
        assert sign_due_checkpoints(now=now) is None
        with system_scope():
            assert AuditTile.objects.count() == SIZE // 256 + SIZE // 256**2
        owner.execute("VACUUM ANALYZE audit_entry, audit_tile")
        ids: dict[int, UUID] = dict(
            owner.execute(
                "SELECT sequence, id FROM audit_entry WHERE tenant_id = %s AND sequence = ANY(%s)",
                [acme.id, [1, 256, 257, 65_537, 500_000, 999_936, 999_937, SIZE]],
            ).fetchall()
        )
        databases.log_in("web", database)
        print(f"a proof in {SIZE:,} leaves: {_cost(acme, ids[500_000]):.1f} ms of CPU, median")  # noqa: T201  (a figure)
        tell_plans(owner, database)
    databases.log_in("web", database)
    for sequence, entry_id in ids.items():
        with told_plans() as plans:
            proof = acme_admin.get(f"/api/v1/audit/proof/{entry_id}").json()
        path = [bytes.fromhex(step) for step in proof["path"]]
        root, leaf = bytes.fromhex(proof["root_hash"]), bytes.fromhex(proof["leaf_hash"])
        assert merkle.includes(leaf=leaf, index=sequence - 1, size=SIZE, path=path, root=root)
        assert len(path) <= 20
        assert sum(plan.blocks for plan in plans) < BLOCKS
        assert max(node["Actual Rows"] for plan in plans for node in plan.nodes()) <= 3 * 255
    for older in (1, 255, 65_536, 500_001, SIZE):
        grown = acme_admin.get("/api/v1/audit/consistency", {"from": older}).json()
        assert len(grown["path"]) <= 21
        assert merkle.is_consistent(
            older=older,
            older_root=bytes.fromhex(grown["from_root"]),
            newer=SIZE,
            newer_root=bytes.fromhex(grown["to_root"]),
            path=[bytes.fromhex(step) for step in grown["path"]],
        )


def _cost(tenant: Any, entry_id: UUID) -> float:
    """Return the milliseconds of processor time that proving an entry takes, beside those of the database."""
    took = []
    for _ in range(50):
        started = process_time()
        with tenant_scope(tenant.id):
            prove_inclusion(tenant_id=tenant.id, entry_id=entry_id)
        took.append((process_time() - started) * 1000)
    return median(took)
