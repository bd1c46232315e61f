"""How what venues say looks in the admin: freshness, rules for orders, whether one can trade."""

from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.core.admin import NOTHING, chip, quantity
from apps.core.admin.panels import Tone
from apps.market.enums import Freshness
from apps.market.models import Listing

_TONES: dict[str, Tone] = {Freshness.FRESH: "ok", Freshness.STALE: "warn", Freshness.UNKNOWN: "bad"}


def freshness_chip(value: str) -> SafeString:
    """Return what a quote or a clock is worth now."""
    return chip(Freshness(value).label, _TONES[value])


def rule(value: Any) -> SafeString:
    """Return a venue's rule for orders, if it states one."""
    return NOTHING if value is None else quantity(value)


def can(allowed: bool, label: str) -> SafeString:
    """Return what a venue allows, by name, or that it does not."""
    return chip(label, "ok") if allowed else chip(_("no"), "idle")


def trading_chip(listing: Listing) -> SafeString:
    """Return whether an instrument can be traded at a venue."""
    if not listing.listed:
        return chip(_("no longer listed"), "bad")
    return chip(_("tradable"), "ok") if listing.tradable else chip(_("not tradable"), "warn")
