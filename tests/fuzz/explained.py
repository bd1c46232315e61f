"""What schemathesis objects to, and why it is right after all.

A schema says what a value looks like, not what it means: a request that fits it may still name what is not there. Such
refusals are told by the problem's code and by the field's; whatever else refuses what the schema allows is a finding.
"""

import json

# Problem codes that say no more than the schema does. Every other code is a refusal of its own, whose page explains
# what is at odds with how things are.
OF_THE_FORM = {"malformed_request", "unknown_query_parameter", "unsupported_media_type", "validation_failed"}
# (field, code) of an entry of `errors`; the field "*" is any.
_PRICES = ("quantity", "limit_price", "stop_price")
MEANING_OF_FIELD: dict[tuple[str, str], str] = {
    ("*", "blank"): "spaces alone are no text",
    ("*", "null_characters_not_allowed"): "NUL is in no text",
    ("*", "out_of_range"): "the platform's own bounds of a limit",
    ("api_key", "excluded"): "a member or an API key, not both",
    ("amount", "excluded"): "what is there has its own amount",
    ("resource_id", "required"): "type and id: both or neither",
    ("resource_type", "required"): "the same",
    ("conditions", "invalid"): "which conditions a permission may have, time zones, amounts and times",
    ("account_id", "required"): "left out where the tenant has not exactly one account to trade with",
    ("account_id", "invalid"): "schemathesis takes an empty text for a UUID that may be null",
    ("credentials", "required"): "what a provider asks for: GET /providers says it",
    ("credentials", "invalid"): "the same",
    ("credentials", "unknown_field"): "the same",
    ("expires_at", "invalid"): "an empty text for a time that may be null",
    ("grace_seconds", "invalid"): "350.0 is an integer to a schema; we ask for 350",
    ("max_open_trades", "invalid"): "the same",
    ("max_orders_per_minute", "invalid"): "the same",
    ("overlap_seconds", "invalid"): "the same",
    ("instrument", "unknown_instrument"): "which instruments there are",
    ("password", "required"): "username and password: both or neither",
    ("username", "required"): "the same",
    ("provider", "unknown_provider"): "which providers are installed",
    ("provider", "not_synchronised"): "and which of them have accounts",
    ("quantity", "required"): "a replacement changes something, no matter what",
    ("reason", "required"): "engaging the kill switch takes one, releasing it does not",
    ("role", "invalid_choice"): "which roles the tenant has made",
    ("time_in_force", "not_allowed"): "the rules of order parameters (apps/orders/rules/parameters.py)",
    ("type", "not_allowed"): "the same",
    **{(name, code): "the same" for name in _PRICES for code in ("not_allowed", "not_positive", "required")},
    **{
        (name, code): "the same"
        for name in _PRICES
        for code in ("too_large", "too_precise", "off_increment", "below_minimum")
    },
}


def is_explained(check: str, status: int, body: bytes) -> bool:
    """Return whether an objection is one of those that are listed here."""
    if check not in ("positive_data_acceptance", "not_a_server_error"):
        return False
    try:
        problem = json.loads(body)
    except ValueError:
        return False
    if check == "not_a_server_error":
        # No sequencer runs beside the fuzzer, so what it makes is in no checkpoint, as this answer says.
        return (status, problem.get("code")) == (503, "not_in_checkpoint_yet")
    if problem.get("code") not in OF_THE_FORM:
        return 400 <= status < 500 and "code" in problem
    errors = [(error["field"].split(".")[0], error["code"]) for error in problem.get("errors", [])]
    return bool(errors) and all(entry in MEANING_OF_FIELD or ("*", entry[1]) in MEANING_OF_FIELD for entry in errors)
