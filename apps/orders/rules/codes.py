"""Why an order is denied: the `code` of its `denial`."""

from enum import StrEnum


class DenialCode(StrEnum):
    """Stable codes. Those that end in `_unknown` mean that the gate could not tell, and therefore denied."""

    CLOCK_UNKNOWN = "clock_unknown"
    CLOCK_OFFSET = "clock_offset"
    KILL_SWITCH_ENGAGED = "kill_switch_engaged"
    KILL_SWITCH_UNKNOWN = "kill_switch_unknown"
    PRICE_UNKNOWN = "price_unknown"
    PRICE_STALE = "price_stale"
    VENUE_CLOSED = "venue_closed"
    INSTRUMENT_UNKNOWN = "instrument_unknown"
    INSTRUMENT_NOT_TRADABLE = "instrument_not_tradable"
    EXPOSURE_UNKNOWN = "exposure_unknown"
    SHORT_NOT_ALLOWED = "short_not_allowed"
    OUTCOME_UNKNOWN = "outcome_unknown"
    ACCOUNT_RESTRICTED = "account_restricted"
    LIMITS_UNKNOWN = "limits_unknown"
    OPEN_TRADE_LIMIT = "open_trade_limit"
    POSITION_LIMIT = "position_limit"
    MEANS_UNKNOWN = "means_unknown"
    CONCENTRATION_LIMIT = "concentration_limit"
    INSUFFICIENT_BUYING_POWER = "insufficient_buying_power"
    ORDER_RATE_LIMIT = "order_rate_limit"
    # Denied after the gate had approved it, before it was sent. The gate's own codes may come then, too.
    APPROVAL_EXPIRED = "approval_expired"
    CANCELED_BEFORE_SUBMISSION = "canceled_before_submission"
    CONNECTION_UNUSABLE = "connection_unusable"
    ORIGINAL_CLOSED = "original_closed"
    ORIGINAL_EXECUTED = "original_executed"
    SUBMISSION_FAILED = "submission_failed"
    # The venue's no.
    REJECTED_BY_VENUE = "rejected_by_venue"
