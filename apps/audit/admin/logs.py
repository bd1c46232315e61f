"""What lists of several logs have in common: whose log it is."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.admin import chip


class LogFilter(SimpleListFilter):
    """Whose log: the tenants' or the installation's own."""

    title = gettext_lazy("log")
    parameter_name = "log"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("installation", _("Installation")), ("tenants", _("Tenants"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() in {"installation", "tenants"}:
            return queryset.filter(tenant_id__isnull=self.value() == "installation")
        return queryset


def log_chip(row: Model) -> str:
    """Return whose log a row is of."""
    slug = getattr(row, "tenant_slug", "")
    return chip(slug) if slug else chip(_("installation"), "info")
