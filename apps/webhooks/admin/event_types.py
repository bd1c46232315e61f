"""The page of event types: what can happen, and what an event of each type holds."""

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.core.admin import Source, Table, changelist_url, tag
from apps.outbox import catalogue
from apps.outbox.catalogue import EventType
from apps.outbox.payloads import Field, fields_of
from apps.webhooks.models import Delivery, Endpoint

URL_NAME = "webhooks_endpoint_event_types"


def event_types_url(name: str = "") -> str:
    """Return the page's address; with a name it opens at that type."""
    page = reverse(f"admin:{URL_NAME}")
    return f"{page}?{urlencode({'type': name})}" if name else page


def event_types_view(request: HttpRequest) -> HttpResponse:
    """Show the types that match a search, and one of them in full: the one that is asked for, or else the first."""
    if not request.user.has_perm("webhooks.view_endpoint"):
        raise PermissionDenied
    query = request.GET.get("q", "").strip()
    found = [each for _name, each in sorted(catalogue.event_types().items()) if _matches(each, query)]
    asked = request.GET.get("type", "")
    chosen = next((each for each in found if each.name == asked), found[0] if found else None)
    context = {
        **admin.site.each_context(request),
        "title": _("Event types"),
        "opts": Endpoint._meta,
        "query": query,
        "count": len(found),
        "total": len(catalogue.event_types()),
        "nouns": _by_noun(found, query),
        "page_url": event_types_url(),
        "chosen": chosen,
        **(_of(chosen) if chosen else {}),
    }
    return TemplateResponse(request, "webhooks/event_types.html", context)


def _matches(each: EventType, query: str) -> bool:
    """Tell whether each word is in the type's name, in what it means, or in the name of one of its fields."""
    fields = " ".join(field.path for field in fields_of(catalogue.schema(each.name)))
    text = f"{each.name} {each.description} {fields}".lower()
    return all(word in text for word in query.lower().split())


def _by_noun(found: Iterable[EventType], query: str) -> list[tuple[str, list[tuple[EventType, str, str]]]]:
    """Return the types by what they are about, each with its participle and the address that shows it."""
    kept = f"&{urlencode({'q': query})}" if query else ""
    nouns = []
    for noun, types in groupby(found, key=lambda each: each.name.partition(".")[0]):
        shown = [(each, each.name.partition(".")[2], f"{event_types_url(each.name)}{kept}") for each in types]
        nouns.append((noun, shown))
    return nouns


def _of(chosen: EventType) -> dict[str, object]:
    schema = catalogue.schema(chosen.name)
    return {
        "meaning": _prose(str(chosen.description)),
        "fields": _fields(fields_of(schema)),
        "example": Source(_("Example of its data"), _readable(catalogue.example(chosen.name))),
        "schema": _readable(schema),
        "deliveries_url": changelist_url(Delivery._meta.label_lower, event_type=chosen.name),
    }


def _fields(fields: Sequence[Field]) -> Table:
    rows = [(_path(field), _kind(field), _prose(field.text)) for field in fields]
    empty = _("Its data are an empty object: that it happened says all.")
    return Table(_("What its data hold"), [_("field"), _("type"), _("meaning")], rows, empty)


def _path(field: Field) -> SafeString:
    """Return a field's name, set in under the field that it is in."""
    above, _dot, name = field.path.rpartition(".")
    optional = tag(_("optional")) if field.is_optional else ""
    quiet = format_html('<span class="fo-quiet">{}.</span>', above) if above else ""
    return format_html('<code class="fo-field-name">{}{}</code> {}', quiet, name, optional)


def _prose(text: str) -> SafeString:
    """Return a sentence whose `codes` look like such."""
    parts = enumerate(text.split("`"))
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", part) if place % 2 else part,) for place, part in parts)
    )


def _kind(field: Field) -> SafeString:
    return format_html('<span class="fo-kind">{}</span>', field.kind)


def _readable(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
