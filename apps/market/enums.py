"""Stable values of the market room."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Freshness(TextChoices):
    """What a stored quote or clock is worth now. Only a fresh one may be decided upon."""

    FRESH = "fresh", _("Fresh")
    STALE = "stale", _("Stale")
    UNKNOWN = "unknown", _("Unknown")
