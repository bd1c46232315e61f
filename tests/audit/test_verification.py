"""`audit.sequence` and `audit.leaves`: what is missing from the audit log or was changed in it is found."""

import pytest

from apps.audit.models import AuditEntry
from apps.audit.services import sequence_entries
from apps.core.scope import snapshot_scope
from tests.factories.audit import NOW, make_entry
from tests.tampering import found, looked_at, tamper, verdicts

pytestmark = pytest.mark.worker_login


@pytest.fixture
def entries(acme) -> list[AuditEntry]:
    """Acme's numbered entries, with which the tenant itself was made."""
    for _ in range(3):
        make_entry(acme.id, changes={"note": [None, "noted"]})
    while sequence_entries(now=NOW):
        pass
    with snapshot_scope():
        return list(AuditEntry.objects.filter(tenant_id=acme.id).order_by("sequence"))


def test_an_untouched_log_is_proved(entries) -> None:
    with snapshot_scope():
        everything = AuditEntry.objects.count()
    assert looked_at("audit.sequence") == looked_at("audit.leaves") == everything >= 3


def test_a_deleted_entry_is_missed(entries) -> None:
    tamper("DELETE FROM audit_entry WHERE id = %s", entries[1].id)
    assert found("audit.sequence", "audit.leaves") == [("audit_entry", "2", "a row each", "no row")]


@pytest.mark.parametrize(
    "change",
    ["actor = '{}'", "at = at - interval '1 second'", 'changes = \'{"note": [null, "Noted"]}\'', "action = 'a.b'"],
)
def test_an_altered_entry_is_not_what_its_leaf_commits_to(entries, change: str) -> None:
    tamper(f"UPDATE audit_entry SET {change} WHERE id = %s", entries[-1].id)
    [(table, row, expected, stored)] = found("audit.sequence", "audit.leaves")
    assert (table, row, stored) == (
        "audit_entry",
        str(entries[-1].id),
        f"leaf hash {bytes(entries[-1].leaf_hash).hex()}",
    )
    assert expected != stored


def test_the_installations_own_log_is_looked_at_with_everything_alone(entries) -> None:
    tamper("UPDATE audit_entry SET tenant_id = NULL, sequence = NULL WHERE id = %s", entries[-1].id)
    assert [result.found for result in verdicts("audit.leaves", tenant="acme")] == [0]
    assert [result.found for result in verdicts("audit.leaves")] == [1]
