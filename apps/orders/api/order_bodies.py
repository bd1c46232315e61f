"""What POST and PATCH of orders take, decoded in one go."""

from decimal import Decimal
from typing import Annotated, Any, ClassVar
from uuid import UUID

import msgspec
from django.utils.translation import gettext_lazy as _

from apps.core.api.bodies import PlainDecimal
from apps.core.errors import ValidationFailed
from apps.orders.enums import OrderType, Side, TimeInForce
from apps.orders.services.intake.replacing import Change
from apps.orders.types import NewOrder

_DECIMAL = _('A decimal as a string in plain notation, such as "10.5".')
# What is no instrument's key is no instrument; printable ASCII is what all of them consist of.
InstrumentKey = Annotated[str, msgspec.Meta(pattern=r"\A[\x21-\x7e]{1,64}\Z")]
ClientOrderId = Annotated[str, msgspec.Meta(pattern=r"\A[\x21-\x7e]{1,48}\Z")]


class OrderBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An order to place."""

    MESSAGES: ClassVar[dict[str, Any]] = {
        "account_id": _("The id of an account."),
        "instrument": _("The key of an instrument, such as XNAS:AAPL."),
        "side": _("One of buy, sell."),
        "type": _("One of market, limit, stop, stop_limit."),
        "quantity": _DECIMAL,
        "limit_price": _DECIMAL,
        "stop_price": _DECIMAL,
        "time_in_force": _("One of day, gtc, ioc, fok."),
        "client_order_id": _("1 to 48 printable ASCII characters without a space."),
        "dry_run": _("true or false."),
    }

    instrument: InstrumentKey
    side: Side
    type: OrderType
    quantity: PlainDecimal
    limit_price: PlainDecimal | None = None
    stop_price: PlainDecimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    account_id: UUID | None = None
    client_order_id: ClientOrderId | None = None
    dry_run: bool = False

    def new_order(self) -> NewOrder:
        """Return the order that is asked for."""
        return NewOrder(
            instrument=self.instrument,
            side=self.side,
            type=self.type,
            quantity=Decimal(self.quantity),
            limit_price=_decimal(self.limit_price),
            stop_price=_decimal(self.stop_price),
            time_in_force=self.time_in_force,
            client_order_id=self.client_order_id or "",
        )


class ReplacementBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is to be different in the order that takes another one's place; null or left out: it stays."""

    MESSAGES: ClassVar[dict[str, Any]] = {
        name: OrderBody.MESSAGES[name] for name in ("quantity", "limit_price", "stop_price", "time_in_force")
    }

    quantity: PlainDecimal | None = None
    limit_price: PlainDecimal | None = None
    stop_price: PlainDecimal | None = None
    time_in_force: TimeInForce | None = None

    def change(self) -> Change:
        """Return the change that is asked for.

        Raises:
            ValidationFailed: nothing is.
        """
        if not any(msgspec.structs.astuple(self)):
            message = _("Say what is to be different.")
            raise ValidationFailed(errors=[{"field": "quantity", "code": "required", "message": str(message)}])
        return Change(
            quantity=_decimal(self.quantity),
            limit_price=_decimal(self.limit_price),
            stop_price=_decimal(self.stop_price),
            time_in_force=self.time_in_force,
        )


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
