"""Instruments and their latest quotes: the same for every tenant, asked for with the tenant's own connection."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.permissions import Permission
from apps.core.api.views import TenantListView, TenantView
from apps.core.scope import tenant_scope
from apps.market import selectors
from apps.market.api.serializers import (
    InstrumentDetailSerializer,
    InstrumentQuery,
    InstrumentSerializer,
    ListingSerializer,
    QuoteSerializer,
)
from apps.market.models import Instrument
from apps.market.services import refresh_quotes

_QUOTED = ("bid", "ask", "bid_size", "ask_size", "venue_at", "received_at")


class InstrumentListView(TenantListView):
    """The instruments that any venue lists or has listed, by key."""

    required_permissions = {"GET": Permission.MARKET_READ}
    query_serializer = InstrumentQuery
    serializer_class = InstrumentSerializer
    ordering = ("key",)

    @extend_schema(
        operation_id="list_instruments",
        tags=["Market"],
        summary="List instruments",
        description=(
            "`search` finds the beginning of key, symbol or name, whatever its case. `venue` keeps what a venue lists "
            "now, `tradable` what it (without `venue`: any) lets trade."
        ),
    )
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def rows(self) -> QuerySet[Instrument]:
        query = self.query
        return selectors.instruments(
            search=query.get("search"), venue=query.get("venue"), is_tradable=query.get("tradable")
        )


class InstrumentView(TenantView):
    """One instrument."""

    required_permissions = {"GET": Permission.MARKET_READ}

    @extend_schema(
        operation_id="get_instrument",
        tags=["Market"],
        summary="Read an instrument",
        description="With each venue's listing of it.",
        responses=InstrumentDetailSerializer,
    )
    def get(self, request: Request, instrument_key: str) -> Response:
        with tenant_scope(self.tenant_id):
            instrument = selectors.get_instrument(key=instrument_key)
            listings = list(selectors.listings_of(instrument=instrument))
        answer = InstrumentSerializer(instrument).data
        return Response({**answer, "listings": ListingSerializer(listings, many=True).data})


class QuoteView(TenantView):
    """The latest quote of an instrument."""

    required_permissions = {"GET": Permission.MARKET_READ}

    @extend_schema(
        operation_id="get_quote",
        tags=["Market"],
        summary="Read the latest quote",
        description=(
            "A quote that is not fresh is first asked for, with the tenant's own connection to a venue that lists the "
            "instrument. Where that fails, or there is none, the stored one comes as it is: `stale`, or `unknown` with "
            "null values."
        ),
        responses=QuoteSerializer,
    )
    def get(self, request: Request, instrument_key: str) -> Response:
        with tenant_scope(self.tenant_id):
            instrument = selectors.get_instrument(key=instrument_key)
            source = selectors.find_quote_source(tenant_id=self.tenant_id, instrument=instrument)
        if source is not None:
            refresh_quotes(connection=source.connection, listings=[source.listing])
        venue = source.listing.venue if source else None
        quote = selectors.find_quote(instrument=instrument, source=venue)
        answer = {
            "instrument": instrument.key,
            "source": quote.source if quote else venue,
            "freshness": selectors.freshness_of(quote, now=clock.now()),
            **{name: getattr(quote, name, None) for name in _QUOTED},
        }
        return Response(QuoteSerializer(answer).data)
