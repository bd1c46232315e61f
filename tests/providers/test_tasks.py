"""What beat runs."""

import pytest

from apps.core.scope import tenant_scope
from apps.providers.models import SyncRun
from apps.providers.tasks import schedule_due_syncs
from tests.factories.providers import make_connection

pytestmark = pytest.mark.worker_login


def test_the_schedule_is_worked_off(acme, now):
    made = make_connection(acme, now=now)  # long ago by the task's clock, so it is due
    schedule_due_syncs()
    with tenant_scope(acme.id):
        assert SyncRun.objects.get(connection=made).status == "queued"
