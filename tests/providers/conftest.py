"""Fixtures of the providers room."""

from collections.abc import Callable
from datetime import datetime

import pytest

from apps.core.models import ReadOnlySwitch
from apps.core.scope import staff_scope
from apps.tenants.models import Tenant


@pytest.fixture
def switch_read_only(now: datetime) -> Callable[[Tenant | None], None]:
    """Return a function that switches writing off for a tenant, or with None for the installation."""

    def switch(tenant: Tenant | None) -> None:
        with staff_scope():
            ReadOnlySwitch.objects.create(tenant_id=tenant.id if tenant else None, reason="Maintenance", engaged_at=now)

    return switch
