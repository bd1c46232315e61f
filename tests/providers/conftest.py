"""Fixtures of the providers room."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import pytest

from apps.core.ids import new_id
from apps.core.models import ReadOnlySwitch
from apps.core.scope import staff_scope
from apps.tenants.models import Tenant
from tests import databases


@pytest.fixture
def switch_read_only(now: datetime) -> Callable[[Tenant | None], None]:
    """Return a function that switches writing off for a tenant, or with None for the installation."""

    def switch(tenant: Tenant | None) -> None:
        with staff_scope():
            ReadOnlySwitch.objects.create(tenant_id=tenant.id if tenant else None, reason="Maintenance", engaged_at=now)

    return switch


@pytest.fixture
def switch_read_only_as_owner(database: str, now: datetime) -> Callable[[UUID | None], None]:
    """The same for tests that log in as the worker, which may not switch."""

    def switch(tenant_id: UUID | None) -> None:
        with databases.as_owner(database) as owner:
            owner.execute(
                "INSERT INTO core_readonlyswitch (id, tenant_id, reason, engaged_at) VALUES (%s, %s, 'Test', %s)",
                [new_id(), tenant_id, now],
            )

    return switch
