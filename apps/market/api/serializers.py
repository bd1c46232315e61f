"""The shapes of the market API."""

from typing import Any

from rest_framework import serializers

from apps.core.api.serializers import DecimalText, PageQuery
from apps.market.enums import Freshness
from apps.market.models import Instrument


class InstrumentSerializer(serializers.Serializer[Instrument]):
    """Something that can be traded. `key` is NAMESPACE:SYMBOL, such as XNAS:AAPL or CRYPTO:BTC-USD."""

    key = serializers.CharField()
    symbol = serializers.CharField()
    name = serializers.CharField()
    asset_class = serializers.CharField()
    currency = serializers.CharField()


class ListingSerializer(serializers.Serializer[Any]):
    """An instrument at one venue, and the venue's rules for its orders; null where the venue states none.

    `listed` is false once the venue no longer lists it.
    """

    venue = serializers.CharField()
    symbol = serializers.CharField()
    listed = serializers.BooleanField()
    tradable = serializers.BooleanField()
    shortable = serializers.BooleanField()
    fractionable = serializers.BooleanField()
    minimum_quantity = DecimalText(allow_null=True)
    quantity_increment = DecimalText(allow_null=True)
    price_increment = DecimalText(allow_null=True)
    updated_at = serializers.DateTimeField()


class InstrumentDetailSerializer(InstrumentSerializer):
    """An instrument and how each venue lists it."""

    listings = ListingSerializer(many=True)


class InstrumentQuery(PageQuery):
    """Filters of the instrument list."""

    search = serializers.CharField(required=False, max_length=100)
    venue = serializers.CharField(required=False, max_length=50)
    tradable = serializers.BooleanField(required=False, allow_null=True, default=None)


class QuoteSerializer(serializers.Serializer[Any]):
    """The latest best bid and ask. Without a usable quote `freshness` is unknown and the values are null.

    `venue_at` is the venue's time of the quote, `received_at` ours; a side is null where the source shows none.
    """

    instrument = serializers.CharField()
    source = serializers.CharField(allow_null=True)  # type: ignore[assignment]  # the metaclass takes fields out
    bid = DecimalText(allow_null=True)
    ask = DecimalText(allow_null=True)
    bid_size = DecimalText(allow_null=True)
    ask_size = DecimalText(allow_null=True)
    venue_at = serializers.DateTimeField(allow_null=True)
    received_at = serializers.DateTimeField(allow_null=True)
    freshness = serializers.ChoiceField(Freshness.choices)
