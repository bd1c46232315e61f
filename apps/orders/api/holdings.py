"""Executions and positions."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.permissions import Permission
from apps.core.api.views import TenantListView
from apps.core.money import plain
from apps.market.enums import Freshness
from apps.market.models import Quote
from apps.market.selectors import freshness_of
from apps.orders.api.order_serializers import FillQuery, FillSerializer, PositionQuery, PositionSerializer
from apps.orders.models import Fill, Position
from apps.orders.rules import positions
from apps.orders.selectors import fills_for, positions_for, quotes_of


class FillListView(TenantListView):
    """What was executed."""

    required_permissions = {"GET": Permission.ORDERS_READ}
    query_serializer = FillQuery
    serializer_class = FillSerializer

    @extend_schema(
        operation_id="list_fills", tags=["Orders"], summary="List executions", description="The latest stored first."
    )
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def rows(self) -> QuerySet[Fill]:
        return fills_for(
            tenant_id=self.tenant_id, order_id=self.query.get("order"), account_id=self.query.get("account")
        )


class PositionListView(TenantListView):
    """What is held."""

    required_permissions = {"GET": Permission.POSITIONS_READ}
    query_serializer = PositionQuery
    serializer_class = PositionSerializer

    @extend_schema(
        operation_id="list_positions",
        tags=["Orders"],
        summary="List positions",
        description="At average cost, those that were closed too, for their realised profit.",
    )
    def get(self, request: Request, **path: object) -> Response:
        return super().get(request, **path)

    def rows(self) -> QuerySet[Position]:
        return positions_for(tenant_id=self.tenant_id, account_id=self.query.get("account"))

    def serialize(self, rows: Sequence[Position]) -> list[Any]:
        quotes = quotes_of(rows)
        asked_for = self.query.get("account")
        return [_position_data(row, quotes) | ({"account_id": asked_for} if asked_for else {}) for row in rows]


def _position_data(row: Position, quotes: Mapping[tuple[UUID, str], Quote]) -> dict[str, Any]:
    worth = _worth(row, quotes.get((row.instrument_id, row.risk_account.venue)))
    return {
        "id": row.id,
        "account_id": row.risk_account.account_id,
        "instrument": row.instrument.key,
        "quantity": plain(row.quantity),
        "average_price": plain(row.average_price),
        "market_price": _text(worth.price),
        "market_value": _text(worth.value),
        "unrealized_pnl": _text(worth.unrealized),
        "realized_pnl": plain(row.realized_pnl),
        "as_of": row.updated_at,
    }


def _worth(row: Position, quote: Quote | None) -> positions.Worth:
    """Return what the position is worth at a fresh quote."""
    holding = positions.Holding(row.quantity, row.average_price)
    if quote is None or freshness_of(quote, now=clock.now()) != Freshness.FRESH:
        return positions.worth(holding, bid=None, ask=None)
    return positions.worth(holding, bid=quote.bid, ask=quote.ask)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)
