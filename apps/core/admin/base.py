"""The base of every staff page: a list and records, read-only, with service actions."""

from collections.abc import Sequence
from typing import ClassVar

from django.db.models import Model
from django.http import HttpRequest

from apps.core.admin.lists import ListAdmin
from apps.core.admin.records import RecordAdmin


class StaffModelAdmin(ListAdmin, RecordAdmin):
    """A model's list and its records' pages. Nothing is edited here: changes are service actions.

    `facts` are the groups of the side column: (title, names of fields or methods). `empty_hint` says what to do
    when the list is empty. `ordering` ends with the key, and so does `tenant_ordering`, which a list of one tenant's
    rows has instead. `search_fields` are searched as text, `search_ids` when the term is a UUID. Columns in
    `never_read`, such as secrets, do not leave the database; those in `not_in_list` are long, and a list does not
    read them. `other_names` are what audit entries, events and jobs call the model besides its own name.
    """

    other_names: ClassVar[Sequence[str]] = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Allow whoever may view or act upon the model."""
        return any(request.user.has_perm(self._codename(verb)) for verb in ("view", "change"))
