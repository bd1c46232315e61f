"""What Prometheus reads about the two logs."""

from datetime import timedelta
from uuid import UUID

import pytest
from prometheus_client.core import Metric

from apps.audit.metrics import collect as collect_audit
from apps.core import clock
from apps.core.scope import staff_scope
from apps.outbox.metrics import collect as collect_outbox
from tests.factories.audit import make_entry
from tests.factories.outbox import make_event

ACME = UUID("0198c5a0-0000-7000-8000-00000000000a")


def _values(*families: Metric) -> dict[str, float]:
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_pending_rows_and_lag_are_exported() -> None:
    with staff_scope():
        assert _values(*collect_outbox(), *collect_audit()) == {
            "finops_outbox_pending_events": 0,
            "finops_outbox_lag_seconds": 0,
            "finops_audit_pending_entries": 0,
            "finops_audit_lag_seconds": 0,
            "finops_audit_tree_entries": 0,
            "finops_audit_largest_tree_entries": 0,
            "finops_audit_uncovered_entries": 0,
            "finops_audit_checkpoint_lag_seconds": 0,
        }
    minute_ago = clock.now() - timedelta(minutes=1)
    make_event(ACME, now=minute_ago)
    make_entry(ACME, now=minute_ago)
    with staff_scope():
        values = _values(*collect_outbox(), *collect_audit())
    assert values["finops_outbox_pending_events"] == values["finops_audit_pending_entries"] == 1
    assert values["finops_outbox_lag_seconds"] == pytest.approx(60, abs=10)
    assert values["finops_audit_lag_seconds"] == pytest.approx(60, abs=10)
