"""A filter of the blotter."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.orders.enums import Pending
from apps.orders.models import Order
from apps.orders.rules.states import OPEN_STATES


class StandingFilter(SimpleListFilter):
    """Orders that can still execute, or those that wait for somebody."""

    title = gettext_lazy("standing")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", _("Open")), ("closed", _("Closed")), ("pending", _("Change asked for"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        if self.value() == "open":
            return queryset.filter(status__in=OPEN_STATES)
        if self.value() == "closed":
            return queryset.exclude(status__in=OPEN_STATES)
        return queryset.exclude(pending=Pending.NONE) if self.value() == "pending" else queryset
