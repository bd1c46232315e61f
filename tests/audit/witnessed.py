"""What tests of witnesses have in common: a log that grows, sending it, and what people are told."""

from datetime import timedelta
from uuid import UUID

from apps.audit.selectors import origin_of
from apps.audit.services import CHECKPOINT_INTERVAL, sequence_entries, sign_due_checkpoints
from apps.core.scope import tenant_scope
from apps.incidents.models import Incident
from finops.witness import witnessing
from finops.witness.stores import Store
from finops.witness.witnessing import Comparison, send_checkpoints
from tests.factories.audit import NOW, make_entries


def grow(tenant_id: UUID, count: int, round_number: int = 0) -> None:
    """Add entries to a tenant's log, number them and sign."""
    now = NOW + round_number * timedelta(minutes=1)
    make_entries(tenant_id, count, now=now)
    while sequence_entries(now=now):
        pass
    sign_due_checkpoints(now=now + CHECKPOINT_INTERVAL)


def send(store: Store, tenant_id: UUID) -> Comparison:
    """Send as a worker that has just started does; return what came of the tenant's log."""
    witnessing._compared.clear()
    found = {comparison.origin: comparison for comparison in send_checkpoints([store], now=NOW)}
    return found[origin_of(tenant_id)]


def incidents(tenant_id: UUID) -> list[tuple[str, str]]:
    """Return severity and problem of what was told of the tenant's log."""
    with tenant_scope(tenant_id):
        return [(row.severity, row.detail["problem"]) for row in Incident.objects.filter(kind="audit.contradicted")]
