"""Instruments, what each venue says of them, their latest quotes and the venues' clocks.

Reference data: observed, not decided, and the same for every tenant. It leaves no audit leaf; whoever decides upon it
stores what it saw (docs/adr/0007-market-data.md).
"""

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.models import BaseModel
from apps.core.retention import Retention


def _decimal(**options: Any) -> "models.DecimalField[Any, Any]":
    return models.DecimalField(max_digits=38, decimal_places=18, **options)


class Instrument(BaseModel):
    """Something that can be traded. `key` is NAMESPACE:SYMBOL, such as XNAS:AAPL or CRYPTO:BTC-USD."""

    retention = Retention.BUSINESS

    key = models.CharField(_("key"), max_length=64, unique=True)
    symbol = models.CharField(_("symbol"), max_length=40)
    name = models.CharField(_("name"), max_length=300, blank=True)
    asset_class = models.CharField(_("asset class"), max_length=20)  # equity | crypto
    currency = models.CharField(_("currency"), max_length=12)
    created_at = models.DateTimeField(_("first seen"))

    class Meta:
        verbose_name = _("instrument")
        verbose_name_plural = _("instruments")

    def __str__(self) -> str:
        return self.key


class Listing(BaseModel):
    """An instrument as one venue lists it: its name there and the venue's rules for orders.

    Increments and the minimum are None where the venue states none; a whole-share instrument has a
    `quantity_increment` of 1. `listed` is False once the venue no longer lists it.
    """

    retention = Retention.BUSINESS

    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="listings")
    venue = models.CharField(_("venue"), max_length=50)  # the provider's name
    external_id = models.CharField(_("id at the venue"), max_length=64)
    symbol = models.CharField(_("symbol at the venue"), max_length=40)
    tradable = models.BooleanField(_("tradable"))
    shortable = models.BooleanField(_("shortable"), default=False)
    fractionable = models.BooleanField(_("fractionable"), default=False)
    minimum_quantity = _decimal(verbose_name=_("smallest quantity"), null=True, blank=True)
    quantity_increment = _decimal(verbose_name=_("quantity increment"), null=True, blank=True)
    price_increment = _decimal(verbose_name=_("price increment"), null=True, blank=True)
    listed = models.BooleanField(_("listed"), default=True)
    updated_at = models.DateTimeField(_("last change"))

    class Meta:
        verbose_name = _("listing")
        verbose_name_plural = _("listings")
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["venue", "instrument"], name="market_listing_one_per_venue"),
            models.UniqueConstraint(fields=["venue", "external_id"], name="market_listing_external_id"),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["venue", "symbol"], name="market_listing_symbol")]

    def __str__(self) -> str:
        return f"{self.symbol} ({self.venue})"


class ListingImport(BaseModel):
    """The last import of a venue's list: when it was asked for, when it last succeeded, and what came of it.

    `refusals` are the first of the `refused` rows, which did not map; a listing that we hold of one is not tradable.
    """

    retention = Retention.OPERATIONAL

    venue = models.CharField(_("venue"), max_length=50, unique=True)
    requested_at = models.DateTimeField(_("requested"), null=True, blank=True)
    finished_at = models.DateTimeField(_("last succeeded"), null=True, blank=True)
    listed = models.PositiveIntegerField(_("listed"), default=0)
    added = models.PositiveIntegerField(_("added"), default=0)
    changed = models.PositiveIntegerField(_("changed"), default=0)
    unlisted = models.PositiveIntegerField(_("no longer listed"), default=0)
    refused = models.PositiveIntegerField(_("refused"), default=0)
    refusals = models.JSONField(_("refused rows"), default=list, blank=True)

    class Meta:
        verbose_name = _("listing import")
        verbose_name_plural = _("listing imports")

    def __str__(self) -> str:
        return self.venue


class Quote(BaseModel):
    """The latest best bid and ask of an instrument from one source; a side is None where the source shows none."""

    retention = Retention.EPHEMERAL

    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="quotes")
    source = models.CharField(_("source"), max_length=50)
    bid = _decimal(verbose_name=_("bid"), null=True, blank=True)
    ask = _decimal(verbose_name=_("ask"), null=True, blank=True)
    bid_size = _decimal(verbose_name=_("bid size"), null=True, blank=True)
    ask_size = _decimal(verbose_name=_("ask size"), null=True, blank=True)
    venue_at = models.DateTimeField(_("time at the venue"))
    received_at = models.DateTimeField(_("received"))

    class Meta:
        verbose_name = _("quote")
        verbose_name_plural = _("quotes")
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["instrument", "source"], name="market_quote_one_per_source")
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.bid}/{self.ask}"


class VenueClock(BaseModel):
    """A venue's own clock as last read: its time, and whether it is open.

    `asked_at` and `received_at` are our times before and after the call; the venue's time lies between them, so the
    offset of our clock is known to half their distance.
    """

    retention = Retention.EPHEMERAL

    venue = models.CharField(_("venue"), max_length=50, unique=True)
    is_open = models.BooleanField(_("open"))
    venue_at = models.DateTimeField(_("time at the venue"))
    next_open_at = models.DateTimeField(_("next open"), null=True, blank=True)
    next_close_at = models.DateTimeField(_("next close"), null=True, blank=True)
    asked_at = models.DateTimeField(_("asked"))
    received_at = models.DateTimeField(_("received"))

    class Meta:
        verbose_name = _("venue clock")
        verbose_name_plural = _("venue clocks")

    def __str__(self) -> str:
        return self.venue
