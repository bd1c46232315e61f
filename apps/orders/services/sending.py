"""Puts an order to its venue and says what the answer proves. Does HTTP, hence outside of any transaction.

See docs/adr/0009-unknown-outcomes.md: only what provably was not carried out is ever sent again.
"""

import math
from dataclasses import dataclass

from django.utils.translation import gettext as _

from apps.orders.models import Order
from apps.orders.services.recognition import difference, request_of
from apps.providers.enums import ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.protocols import BrokerageAdapter
from apps.providers.trading import VenueOrder

# The code under which adapters report that the venue has an order with this client id.
DUPLICATE = "duplicate_client_order_id"
_LONGEST_PAUSE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Shown:
    """The venue has the order."""

    order: VenueOrder


@dataclass(frozen=True, slots=True)
class Refused:
    """The venue has refused the order."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class NotCarriedOut:
    """Provably nothing happened: it may be tried again after `seconds`."""

    seconds: int
    reason: str


@dataclass(frozen=True, slots=True)
class NotYet:
    """What became of the order, or is to become of it, cannot be said yet: it is looked up again after `seconds`."""

    seconds: int
    reason: str


@dataclass(frozen=True, slots=True)
class Doubtful:
    """Nothing is proven."""

    reason: str


Answer = Shown | Refused | NotCarriedOut | NotYet | Doubtful


def send(venue: BrokerageAdapter, order: Order, *, replaces: str, attempt: int) -> Answer:
    """Put an order to its venue, in the place of the one with the venue's id `replaces` if there is one."""
    request = request_of(order)
    try:
        return Shown(venue.replace_order(replaces, request) if replaces else venue.place_order(request))
    except ProviderError as error:
        if error.code == DUPLICATE:
            return _explain_duplicate(venue, order)
        if error.category in (ErrorCategory.PERMANENT, ErrorCategory.AUTH):
            return Refused(error.code, error.message)
        if error.category is ErrorCategory.UNKNOWN_OUTCOME:
            return Doubtful(error.message)
        return NotCarriedOut(pause(error, attempt=attempt), error.message)


def look_up(venue: BrokerageAdapter, order: Order, *, attempt: int) -> Shown | NotYet | None:
    """Ask the venue for an order by our id; None: it says that there is none."""
    try:
        found = venue.find_order(order.client_order_id)
    except ProviderError as error:
        return NotYet(pause(error, attempt=attempt), error.message)
    return Shown(found) if found is not None else None


def pause(error: ProviderError, *, attempt: int) -> int:
    """Return the seconds to wait after failed attempt number `attempt`: what the venue asks for, or ever more."""
    if error.retry_after is not None:
        return min(math.ceil(error.retry_after) + 1, 10 * _LONGEST_PAUSE_SECONDS)
    return pause_after(attempt)


def pause_after(attempt: int) -> int:
    """Return the seconds to wait after failed attempt number `attempt`, ever more."""
    return min(1 << min(attempt - 1, 10), _LONGEST_PAUSE_SECONDS)


def _explain_duplicate(venue: BrokerageAdapter, order: Order) -> Answer:
    """The venue takes a client id once: it has our order already, or has refused it since another one has the id."""
    found = look_up(venue, order, attempt=1)
    if not isinstance(found, Shown):
        return Doubtful(_("The venue says that it has the order and does not show it."))
    another = difference(order, found.order)
    return Refused(DUPLICATE, _("Another order has this client order id: %s.") % another) if another else found
