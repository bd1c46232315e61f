"""The installation's own log is numbered as a tenant's is; the mechanism itself is specified in tests/outbox."""

from datetime import datetime
from uuid import UUID

import pytest
from django.db import connection

from apps.audit.models import AuditEntry
from apps.audit.services import record, sequence_entries
from apps.core.actor import Actor
from apps.core.scope import staff_scope, system_scope
from tests import databases
from tests.factories.audit import make_entry

ACME = UUID("0198c5a0-0000-7000-8000-00000000000a")


@pytest.mark.commits
def test_the_installations_log_has_a_sequence_of_its_own(now: datetime) -> None:
    staff = Actor(kind="staff", label="grace")
    for action in ("staff.signed_in", "staff.signed_out"):
        with staff_scope():
            record(action=action, actor=staff, target_type="user", target_id="grace", now=now)
    make_entry(ACME)
    databases.log_in("worker", connection.settings_dict["NAME"])
    assert [sequence_entries(now=now) for _ in range(2)] == [3, 0]
    with system_scope():
        numbered = AuditEntry.objects.order_by("tenant_id", "sequence")
        assert list(numbered.values_list("tenant_id", "sequence", "action")) == [
            (ACME, 1, "order.submitted"),
            (None, 1, "staff.signed_in"),
            (None, 2, "staff.signed_out"),
        ]
