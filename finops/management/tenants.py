"""How commands name a tenant: by its slug."""

from uuid import UUID

from django.core.management.base import CommandError

from apps.core.scope import staff_scope
from apps.tenants.models import Tenant


def tenant_id_of(slug: str) -> UUID:
    """Return the id of the tenant with this slug.

    Raises:
        CommandError: there is none.
    """
    with staff_scope():
        found = Tenant.objects.filter(slug=slug).values_list("id", flat=True).first()
    if found is None:
        raise CommandError(f"There is no tenant {slug!r}.")
    return found
