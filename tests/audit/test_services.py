"""Recording: what a leaf holds, what it commits to, and where it may be written."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError

from apps.audit.models import AuditEntry
from apps.audit.services import record, record_batch
from apps.core import context
from apps.core.actor import Actor, system_actor
from apps.core.ids import new_id
from apps.core.scope import current_scope, staff_scope, tenant_scope, write_scope
from tests.factories.audit import make_entry

ACME = UUID("0198c5a0-0000-7000-8000-00000000000a")
GLOBEX = UUID("0198c5a0-0000-7000-8000-00000000000b")
ORDER = UUID("0198c5a0-0000-7000-8000-000000000001")
USER = UUID("0198c5a0-0000-7000-8000-000000000002")
TRADER = Actor(kind="user", label="ada", tenant_id=ACME, user_id=USER, request_id="req-1", ip="192.0.2.7")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _expected_leaf(content: dict[str, Any]) -> bytes:
    """The leaf hash with Python's own json; for ASCII keys and no fractions it writes RFC 8785's bytes."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(b"\x00" + text.encode()).digest()


def test_an_entry_says_who_did_what_to_what_when(now: datetime) -> None:
    with context.use(context.Context(request_id="req-1", traceparent=TRACE)):
        entry = make_entry(
            ACME,
            action="order.submitted",
            actor=TRADER,
            target_id=ORDER,
            changes={"status": ["draft", "approved"], "limit_price": [None, Decimal("190.2500")]},
            now=now,
        )
    assert entry.tenant_id == ACME
    assert entry.action == "order.submitted"
    assert entry.actor == {"kind": "user", "tenant_id": str(ACME), "user_id": str(USER), "request_id": "req-1"}
    assert (entry.personal["actor"]["subject"], entry.personal["actor"]["members"]) == (str(USER), ["ip", "label"])
    assert entry.actor_id == USER
    assert (entry.target_type, entry.target_id) == ("order", str(ORDER))
    assert entry.changes == {"status": ["draft", "approved"], "limit_price": [None, "190.25"]}
    assert (entry.request_id, entry.traceparent) == ("req-1", TRACE)
    assert entry.at == datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    assert entry.schema_version == 2
    assert entry.sequence is None


def test_the_leaf_hash_commits_to_the_whole_content(now: datetime) -> None:
    changes = {"note": ["", 'Grüße, 東京 \u2028 "quoted"'], "count": [1, 2]}
    entry = make_entry(ACME, actor=TRADER, target_id=ORDER, changes=changes, now=now)
    content = {
        "id": str(entry.id),
        "tenant_id": str(ACME),
        "schema_version": 2,
        "action": "order.submitted",
        "actor": {"kind": "user", "tenant_id": str(ACME), "user_id": str(USER), "request_id": "req-1"},
        "target": {"type": "order", "id": str(ORDER)},
        "changes": changes,
        "personal": entry.personal,
        "request_id": "req-1",
        "traceparent": "",
        "at": "2026-03-02T12:00:00Z",
    }
    assert bytes(entry.leaf_hash) == _expected_leaf(content)
    for field, other in {
        "action": "order.canceled",
        "at": "2026-03-02T12:00:00.000001Z",
        "changes": {},
        "personal": {},
    }.items():
        assert bytes(entry.leaf_hash) != _expected_leaf({**content, field: other})


def test_secrets_are_masked_before_they_are_stored(now: datetime) -> None:
    changes = {
        "credentials": [None, {"access_token": "test_tkn_abc"}],
        "note": ["", "key fop_test_A1b2C3d4E5F6 leaked"],
    }
    entry = make_entry(ACME, changes=changes, now=now)
    assert entry.changes == {"credentials": "[redacted]", "note": ["", "key [redacted] leaked"]}


def test_an_entry_is_of_the_scope_that_it_is_written_in(now: datetime) -> None:
    arguments: dict[str, Any] = {"action": "order.submitted", "target_type": "order", "target_id": ORDER, "now": now}
    with pytest.raises(RuntimeError, match=r"order\.submitted is recorded outside of its actor's write scope"):
        record(actor=TRADER, **arguments)
    with pytest.raises(RuntimeError, match="outside"), write_scope(TRADER.for_tenant(GLOBEX)):
        record(actor=TRADER, **arguments)
    with pytest.raises(RuntimeError, match="outside"), tenant_scope(ACME):
        record(actor=TRADER, **arguments)
    with pytest.raises(RuntimeError, match="outside"), staff_scope():
        record(actor=TRADER, **arguments)
    with staff_scope():
        assert AuditEntry.objects.count() == 0


def test_the_installation_has_a_log_of_its_own_that_no_tenant_sees(now: datetime) -> None:
    staff = Actor(kind="staff", label="grace", user_id=USER)
    with staff_scope():
        record(action="staff.signed_in", actor=staff, target_type="user", target_id=USER, now=now)
        entry = AuditEntry.objects.get()
        assert (entry.tenant_id, entry.action, entry.actor_id) == (None, "staff.signed_in", USER)
    with tenant_scope(ACME):
        assert AuditEntry.objects.count() == 0


def test_an_action_has_a_noun_and_a_verb(now: datetime) -> None:
    for action in ("order", "Order.submitted", "order.", "order submitted"):
        with pytest.raises(IntegrityError, match="audit_entry_action_form"):
            make_entry(ACME, action=action, now=now)


def test_a_batch_leaves_one_entry_that_commits_to_its_rows(now: datetime) -> None:
    rows = [b"row-1", b"row-2", b"row-3"]
    first, second, third = (sha256(b"\x00" + row).digest() for row in rows)
    root = sha256(b"\x01" + sha256(b"\x01" + first + second).digest() + third).hexdigest()
    with write_scope(TRADER):
        record_batch(
            action="account.transactions_synced",
            actor=TRADER,
            target_type="connection",
            target_id=ORDER,
            now=now,
            rows=[(str(new_id()), row) for row in rows],
            summary={"added": 2, "modified": 1},
        )
        entry = AuditEntry.objects.get()
    assert entry.changes == {"added": 2, "modified": 1, "batch": {"count": 3, "merkle_root": root}}


def test_an_empty_batch_commits_to_nothing(now: datetime) -> None:
    with write_scope(TRADER):
        record_batch(
            action="account.transactions_synced",
            actor=TRADER,
            target_type="connection",
            target_id=ORDER,
            now=now,
            rows=[],
            summary={},
        )
        entry = AuditEntry.objects.get()
    assert entry.changes == {"batch": {"count": 0, "merkle_root": sha256(b"").hexdigest()}}


def test_recording_asks_for_the_sequencer(now: datetime) -> None:
    with write_scope(TRADER):
        record(action="order.submitted", actor=TRADER, target_type="order", target_id=ORDER, now=now)
        scope = current_scope()
        assert scope is not None
        assert scope.wakes == {"audit"}


def test_an_entry_vanishes_with_the_change_that_failed(now: datetime) -> None:
    with pytest.raises(ZeroDivisionError), write_scope(TRADER):
        record(action="order.submitted", actor=TRADER, target_type="order", target_id=ORDER, now=now)
        raise ZeroDivisionError
    with staff_scope():
        assert AuditEntry.objects.count() == 0


def test_a_system_actor_has_no_actor_id(now: datetime) -> None:
    entry = make_entry(ACME, actor=system_actor("scheduler", tenant_id=ACME), now=now)
    assert (entry.actor, entry.actor_id) == (
        {"kind": "system", "label": "scheduler", "tenant_id": str(ACME)},
        None,
    )
