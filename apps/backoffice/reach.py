"""Which tenants a staff member may see and act upon, told by django-guardian's permissions.

Superusers, and staff with the permission OPERATE on the model, reach every tenant; other staff those alone that they,
or a group of theirs, hold it for as an object permission. The admin's scope is limited to these, so that the database
shows nothing else, whatever a page asks for.
"""

from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib.auth.backends import BaseBackend, ModelBackend
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from guardian.models import GroupObjectPermission, UserObjectPermission

from apps.core.scope import Reach
from apps.core.tenancy import GLOBAL_TABLES
from apps.tenants.models import Tenant

OPERATE = "tenants.operate_tenant"
GRANT = "tenants.grant_tenant"
_KEPT = "_finops_reach"
_everywhere = ModelBackend()


def reach_of(user: Any) -> Reach | None:
    """Return the tenants that a staff user is limited to; None for whoever reaches the whole installation.

    Asked once a request: it is kept on the user.
    """
    if not hasattr(user, _KEPT):
        setattr(user, _KEPT, None if reaches_all(user) else Reach(user.pk, frozenset(granted_tenants(user))))
    reach: Reach | None = getattr(user, _KEPT)
    return reach


def reaches_all(user: Any) -> bool:
    """Tell whether every tenant is theirs: a superuser, or staff with the permission on the model."""
    return bool(user.is_superuser or _everywhere.has_perm(user, OPERATE))


def granted_tenants(user: Any) -> list[UUID]:
    """Return the ids of the tenants that are granted to a user, or to a group of theirs, one by one."""
    own = tenant_grants(UserObjectPermission.objects.filter(user=user))
    by_group = tenant_grants(GroupObjectPermission.objects.filter(group__user=user))
    keys = own.values_list("object_pk", flat=True).union(by_group.values_list("object_pk", flat=True))
    return [UUID(key) for key in keys]


def tenant_grants(grants: "QuerySet[Any]") -> "QuerySet[Any]":
    """Return those of django-guardian's rows that grant a tenant."""
    app, codename = OPERATE.split(".")
    of_tenants = {"content_type__app_label": app, "content_type__model": Tenant._meta.model_name}
    return grants.filter(permission__codename=codename, **of_tenants)


class InstallationBackend(BaseBackend):
    """Refuses limited staff what belongs to no tenant: it stands before the backends that grant.

    What they may there is said in `apps.core.tenancy`; a table that says nothing of them is out of their reach.
    """

    def has_perm(self, user_obj: Any, perm: str, obj: Model | None = None) -> bool:
        """Grant nothing.

        Raises:
            PermissionDenied: the permission is about a global table that limited staff may not use so.
        """
        if user_obj.is_staff and perm != OPERATE and not _is_open(perm) and reach_of(user_obj) is not None:
            raise PermissionDenied
        return False


def _is_open(permission: str) -> bool:
    """Tell whether the permission is about tenants' rows, or about global ones that are for limited staff as well."""
    if permission == GRANT:
        return False
    app, _dot, codename = permission.partition(".")
    verb, _line, name = codename.rpartition("_")
    try:
        entry = GLOBAL_TABLES.get(apps.get_model(app, name)._meta.db_table)
    except LookupError:
        return True
    return entry is None or (entry.limited is not None and (verb == "view" or entry.limited.acts))
