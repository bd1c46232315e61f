"""Stable values of the orders room. Free of Django, since the pure rules speak in them."""

from enum import StrEnum


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"


class TimeInForce(StrEnum):
    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


class Mode(StrEnum):
    """Whether an account moves real money."""

    PAPER = "paper"
    LIVE = "live"


class OrderStatus(StrEnum):
    """Where an order stands; apps.orders.rules.states says what may follow what."""

    DRAFT = "draft"
    DENIED = "denied"
    APPROVED = "approved"
    SUBMITTING = "submitting"
    UNKNOWN = "unknown"
    LOST = "lost"
    ACCEPTED = "accepted"
    HELD = "held"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"
    DONE_FOR_DAY = "done_for_day"
    REJECTED = "rejected"


class Pending(StrEnum):
    """What a client asked for and the venue has not confirmed."""

    NONE = "none"
    CANCEL = "cancel"
    REPLACE = "replace"


class Outcome(StrEnum):
    """What the risk gate decided."""

    APPROVED = "approved"
    DENIED = "denied"


class SwitchScope(StrEnum):
    """What a kill switch stops."""

    ACCOUNT = "account"
    TENANT = "tenant"
    INSTALLATION = "installation"
