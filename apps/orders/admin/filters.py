"""A filter of the blotter."""

from django.db.models import Q
from django.utils.translation import gettext_lazy

from apps.core.admin import one_of
from apps.orders.enums import Pending
from apps.orders.rules.states import OPEN_STATES

STANDING_FILTER = one_of(
    "standing",
    gettext_lazy("standing"),
    {
        "open": (gettext_lazy("Open"), Q(status__in=OPEN_STATES)),
        "closed": (gettext_lazy("Closed"), ~Q(status__in=OPEN_STATES)),
        "pending": (gettext_lazy("Change asked for"), ~Q(pending=Pending.NONE)),
    },
)
