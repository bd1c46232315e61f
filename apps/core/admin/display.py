"""How values look in the admin: chips, money, moments, durations, links."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from apps.core import clock
from apps.core.admin.panels import Text, Tone
from apps.core.money import minor_digits, plain
from apps.core.redaction import redact, redact_text

NOTHING = mark_safe('<span class="fo-nil">–</span>')

TONES: dict[str, Tone] = {
    "active": "ok",
    "succeeded": "ok",
    "open": "ok",
    "relayed": "ok",
    "filled": "ok",
    "resolved": "ok",
    "enabled": "ok",
    "running": "run",
    "leased": "run",
    "submitting": "run",
    "partially_filled": "run",
    "queued": "info",
    "approved": "info",
    "accepted": "info",
    "pending": "info",
    "invited": "info",
    "acknowledged": "info",
    "needs_attention": "warn",
    "warning": "warn",
    "retrying": "warn",
    "held": "warn",
    "denied": "warn",
    "failed": "bad",
    "dead": "bad",
    "critical": "bad",
    "error": "bad",
    "rejected": "bad",
    "unknown": "bad",
    "lost": "bad",
}

Function = TypeVar("Function", bound=Callable[..., Any])


def column(description: Text) -> Callable[[Function], Function]:
    """Name a column or fact that a method computes."""

    def name(function: Function) -> Function:
        function.short_description = description  # type: ignore[attr-defined]  # where the admin looks for it
        return function

    return name


def chip(text: Text, tone: Tone = "idle") -> SafeString:
    """Return a status chip."""
    return format_html('<span class="fo-chip fo-{}">{}</span>', tone, text)


def status_chip(obj: Model, name: str = "status", **tones: Tone) -> SafeString:
    """Return the chip of a choice field: its label, in the tone of its value; `tones` differ from `TONES`."""
    label = getattr(obj, f"get_{name}_display")() if hasattr(obj, f"get_{name}_display") else getattr(obj, name)
    value = str(getattr(obj, name))
    return chip(label, tones.get(value) or TONES.get(value, "idle"))


def moment(value: datetime | None) -> SafeString:
    """Return how long ago or ahead a time is, with the exact time on hover."""
    if value is None:
        return NOTHING
    return _aged(value, _("{time} ago"), "fo-time")


def _aged(value: datetime, past: str, classes: str) -> SafeString:
    distance = clock.now() - value
    text = _("in {time}") if distance < timedelta(0) else past
    return format_html(
        '<time class="{}" datetime="{}" title="{} UTC">{}</time>',
        classes,
        value.isoformat(),
        value.strftime("%Y-%m-%d %H:%M:%S"),
        text.format(time=duration(abs(distance))) if abs(distance) >= timedelta(seconds=1) else _("now"),
    )


def due(value: datetime | None) -> SafeString:
    """Return when something is to happen: how far ahead, or for how long it has been due."""
    if value is None:
        return NOTHING
    return _aged(value, _("due for {time}"), "fo-time fo-due")


def exact(value: datetime | None) -> SafeString:
    """Return a time to the millisecond, with how long ago it was."""
    if value is None:
        return NOTHING
    utc = value.astimezone(UTC)
    return format_html(
        '<span class="fo-exact">{}<span class="fo-ms">.{}</span> UTC <small>{}</small></span>',
        utc.strftime("%Y-%m-%d %H:%M:%S"),
        f"{utc.microsecond // 1000:03d}",
        moment(value),
    )


def duration(value: timedelta | None) -> str:
    """Return a duration in its largest unit: "840 ms", "12 s", "4 min", "3 h", "12 d"; clocks may make it negative."""
    if value is None:
        return "–"
    if value < timedelta(0):
        return f"−{duration(-value)}"
    seconds = value.total_seconds()
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    for size, unit in ((86_400, _("d")), (3_600, _("h")), (60, _("min"))):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{seconds:.1f} {_('s')}" if seconds < 10 else f"{int(seconds)} {_('s')}"


def number(value: int | None) -> str:
    """Return a whole number with thousands separated."""
    return "–" if value is None else f"{value:,}"


def money(amount: Decimal | None, currency: str = "", *, signed: bool = False) -> SafeString:
    """Return an amount in its currency's places, the whole on hover; `signed` colours money in and money out."""
    if amount is None:
        return NOTHING
    tone = "plain" if not signed or not amount else ("out" if amount < 0 else "in")
    text, hover = _rounded(amount, minor_digits(currency))
    return format_html(
        '<span class="fo-money fo-money-{}"{}>{}{}<span class="fo-ccy">{}</span></span>',
        tone,
        hover,
        "+" if tone == "in" else "",
        text,
        currency,
    )


def quantity(value: Decimal | None) -> SafeString:
    """Return a quantity as it is, thousands separated, without trailing zeros."""
    if value is None:
        return NOTHING
    return format_html('<span class="fo-figure">{}</span>', figure(value, 0))


def price(value: Decimal | None) -> SafeString:
    """Return a price as it was given, with at least two decimals, so that a column of them can be compared."""
    if value is None:
        return NOTHING
    return format_html('<span class="fo-figure">{}</span>', figure(value, 2))


def average(value: Decimal | None) -> SafeString:
    """Return a price that was computed, in the places that prices have: two, below one four; the whole on hover.

    The SEC's Rule 612 has equities quoted so; venues of other instruments follow closely enough for a mean.
    """
    if value is None:
        return NOTHING
    text, hover = _rounded(value, 2 if abs(value) >= 1 else 4)
    return format_html('<span class="fo-figure"{}>{}</span>', hover, text)


def _rounded(value: Decimal, digits: int) -> tuple[str, SafeString | str]:
    """Return a number to so many places, and the attribute that tells the whole of it where that is more.

    What is not nothing never looks like nothing: it then keeps its first two digits.
    """
    shown = round(value, digits)
    if not shown and value:
        shown = round(value, 1 - value.adjusted())
    hover = format_html(' title="{}"', plain(value)) if shown != value else ""
    return figure(shown, digits), hover


def figure(value: Decimal, digits: int = 0) -> str:
    """Return a number in plain text with thousands separated and at least so many decimal places."""
    whole, _dot, fraction = plain(abs(value)).partition(".")
    fraction = fraction.ljust(digits, "0")
    return f"{'−' if value < 0 else ''}{int(whole):,}{'.' if fraction else ''}{fraction}"


def progress(share: Decimal, text: str) -> SafeString:
    """Return a text above a thin bar that is filled by a share from 0 to 1."""
    width = int(share * 100)
    filled = format_html('<rect width="{}" height="3" rx="1.5"/>', max(2, width)) if share else ""
    return format_html(
        '<span class="fo-progress"><span>{}</span>'
        '<svg class="fo-bar" viewBox="0 0 100 3" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="fo-bar-bg" width="100" height="3" rx="1.5"/>{}</svg></span>',
        text,
        filled,
    )


def percent(value: Decimal | None, digits: int = 1) -> str:
    """Return a share as per cent, such as "30 %"."""
    return "–" if value is None else f"{plain(round(value * 100, digits))} %"


def clock_time(value: datetime | None) -> SafeString:
    """Return a time of day to the second, with the date where it is not today's; the whole on hover."""
    if value is None:
        return NOTHING
    utc = value.astimezone(UTC)
    day = "" if utc.date() == clock.now().date() else utc.strftime("%d %b ")
    return format_html(
        '<time class="fo-clock" datetime="{}" title="{} UTC"><small>{}</small>{}</time>',
        value.isoformat(),
        utc.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
        day,
        utc.strftime("%H:%M:%S"),
    )


def two_lines(first: Text, second: Text) -> SafeString:
    """Return a cell with a quiet second line, or the first alone."""
    if not second:
        return format_html("{}", first)
    hover = "" if isinstance(second, SafeString) else second
    return format_html('<span class="fo-two">{}<small title="{}">{}</small></span>', first, hover, second)


def bar(value: float, maximum: float, text: str) -> SafeString:
    """Return a small horizontal bar with its label, drawn as SVG."""
    width = 0 if maximum <= 0 else max(2, min(100, round(100 * value / maximum)))
    return format_html(
        '<span class="fo-barcell">'
        '<svg class="fo-bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="fo-bar-bg" width="100" height="6" rx="2"/><rect width="{}" height="6" rx="2"/></svg>{}</span>',
        width,
        text,
    )


def code(value: object) -> SafeString:
    """Return JSON-like data or text, redacted and preformatted."""
    text = redact_text(value) if isinstance(value, str) else pretty(value)
    return format_html('<pre class="fo-pre">{}</pre>', text) if text not in {"", "{}", "[]"} else NOTHING


def tag(value: str, explanation: str = "") -> SafeString:
    """Return a code of ours, such as "price_stale", explained on hover."""
    return format_html('<span class="fo-code" title="{}">{}</span>', explanation, value) if value else NOTHING


def pretty(value: object) -> str:
    """Return JSON-like data as indented text, redacted."""
    return whole_characters(json.dumps(redact(value), indent=2, ensure_ascii=False, default=str))


def whole_characters(text: str) -> str:
    """Return a text with "?" for each half of a character, as strangers' JSON may escape one: no page can hold it."""
    return text.encode(errors="replace").decode()


def short_id(value: UUID | str | None) -> SafeString:
    """Return the telling end of an id, with the whole on hover."""
    if not value:
        return NOTHING
    return format_html('<span class="fo-id" title="{}">{}</span>', value, str(value)[-8:])


def whole_id(value: UUID | str | None) -> SafeString:
    """Return an id in full: a click chooses all of it, to be copied."""
    return format_html('<span class="fo-id fo-whole">{}</span>', value) if value else NOTHING


def link(url: str, text: Text) -> SafeString:
    """Return a link."""
    return format_html('<a class="fo-link" href="{}">{}</a>', url, text)


def record_url(label: str, key: object) -> str:
    """Return the page of a record; `label` is "app.model" in lower case."""
    return reverse(f"admin:{label.replace('.', '_')}_change", args=[key])


def changelist_url(label: str, **filters: object) -> str:
    """Return a list, filtered; `label` is "app.model" in lower case."""
    query = f"?{urlencode(filters)}" if filters else ""
    return reverse(f"admin:{label.replace('.', '_')}_changelist") + query


def request_url(request_id: str, at: datetime) -> str:
    """Return the page of everything that carries a request's id, of which something is known to be of this time."""
    return f"{reverse('admin:request_trace')}?{urlencode({'id': request_id, 'at': at.isoformat()})}"


def about_url(label: str, obj: Any, key: object = None) -> str:
    """Return a list about a record, or about `key`, within its tenant: so the search is a tenant's index range."""
    tenant_id = getattr(obj, "tenant_id", None)
    filters = {"tenant": tenant_id} if tenant_id else {}
    return changelist_url(label, **filters, q=key or obj.pk)
