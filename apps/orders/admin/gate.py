"""The gate's decisions, readable: the checks that were made, and what they looked at."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.admin import NOTHING, Facts, FactsGrid, Table, chip, duration, exact, percent, price, quantity, sentence
from apps.orders.admin.display import plainly
from apps.orders.rules.snapshot import AMOUNTS, INTERVALS, TIMES

_CODE = "code"
# What an order names, beside what the snapshot holds.
_FIGURES = AMOUNTS | {"quantity", "limit_price", "stop_price", "replaced_remaining", "replaced_reserved"}
_PRICES = frozenset({"bid", "ask", "limit_price", "stop_price"})
# There was no order before, or the venue does not say when it opens or closes next: nothing is missing.
_MAY_BE_NONE = frozenset({"rate_reset_at", "clock_turns_at"})
_GROUPS: Sequence[tuple[Promise, Sequence[str]]] = (
    (gettext_lazy("Switches"), ("engaged_switches",)),
    (gettext_lazy("Clock"), ("clock_",)),
    (gettext_lazy("Price"), ("bid", "ask", "quote_")),
    (gettext_lazy("Instrument"), ("asset_class", "listed", "tradable", "shortable")),
    (gettext_lazy("Exposure"), ("position", "open_", "other_trades", "unknown_orders")),
    (gettext_lazy("Means"), ("equity", "buying_power", "reserved", "is_restricted", "means_")),
    (gettext_lazy("Limits"), ("max_", "rate_reset_at")),
)


def checks_table(checks: Sequence[Mapping[str, Any]], title: str = "") -> Table:
    """Return what each check found, in the order in which they were made."""
    passed = sum(1 for check in checks if not check.get(_CODE))
    rows = [
        [
            plainly(str(check.get("check", ""))),
            chip(plainly(check[_CODE]), "bad") if check.get(_CODE) else chip(_("passed"), "ok"),
            sentence(str(check.get("detail", ""))) or NOTHING,
        ]
        for check in checks
    ]
    heading = title or _("%(passed)s of %(all)s checks passed") % {"passed": passed, "all": len(checks)}
    return Table(heading, [_("check"), _("result"), _("detail")], rows, empty=_("No check was recorded."))


def inputs_grid(inputs: Mapping[str, Any]) -> FactsGrid:
    """Return what the gate looked at, by subject; an input that was missing says so."""
    now = inputs.get("now")
    at = datetime.fromisoformat(now) if now else None
    left = {name: value for name, value in inputs.items() if name != "now"}
    groups = []
    for title, beginnings in (*_GROUPS, (gettext_lazy("More"), ("",))):
        names = [name for name in left if name.startswith(tuple(beginnings))]
        items = [(plainly(name), _value(name, left.pop(name), at)) for name in names]
        if items:
            groups.append(Facts(title, items))
    return FactsGrid(_("What the gate saw"), groups)


def request_facts(request: Mapping[str, Any]) -> Facts:
    """Return what was asked for."""
    given = [(name, value) for name, value in request.items() if value not in (None, "")]
    return Facts(_("Asked for"), [(plainly(name), _value(name, value, None)) for name, value in given])


def _value(name: str, value: Any, now: datetime | None) -> SafeString | str:
    if value is None:
        return NOTHING if name in _MAY_BE_NONE else chip(_("missing"), "warn")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or _("none")
    if name in INTERVALS:
        return _("%(seconds)s s") % {"seconds": value}
    if name == "max_concentration":
        return percent(Decimal(value))
    if name in _PRICES:
        return price(Decimal(value))
    if name in _FIGURES:
        return quantity(Decimal(value))
    if name in TIMES:
        return _age(datetime.fromisoformat(value), now)
    return str(value)


def _age(at: datetime, now: datetime | None) -> SafeString | str:
    """Return when something was, seen from the decision: what counts is how old it was then."""
    if now is None or abs(now - at) > timedelta(days=1):
        return exact(at)
    text = _("%(age)s before") if at <= now else _("%(age)s later")
    return text % {"age": duration(abs(now - at))}
