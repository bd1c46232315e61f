"""Pages of what the rest names by type and id alone: audit entries, events, incidents, the payloads of jobs."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from uuid import UUID

from django.contrib import admin
from django.urls import NoReverseMatch
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from apps.core.admin.display import link, record_url, short_id, two_lines

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


@cache
def _pages() -> Mapping[str, str]:
    """Return {what a thing is called: "app.model" of its page}: its model's own name, and its page's `other_names`."""
    found = {}
    for model, page in admin.site._registry.items():
        for name in (_WORD.sub("_", model.__name__).lower(), *getattr(page, "other_names", ())):
            found[name] = model._meta.label_lower
    return found


def target_url(target_type: str, key: object) -> str:
    """Return the page of what is named so; empty for what has none."""
    page = _pages().get(target_type)
    try:
        return record_url(page, key) if page and key else ""
    except NoReverseMatch:
        return ""


def target_link(target_type: str, key: object) -> SafeString:
    """Return a cell: what is named and the end of its id, a link where it has a page."""
    name, url = target_type.replace("_", " "), target_url(target_type, key)
    return two_lines(link(url, name) if url else name, short_id(str(key)) if _is_id(key) else str(key))


def target_links(named: Iterable[tuple[str, object]]) -> list[tuple[str, str]]:
    """Return (label, page) of each (type, id) that has one, for the links beside a record."""
    found = ((str(capfirst(name.replace("_", " "))), target_url(name, key)) for name, key in named)
    return [(label, url) for label, url in dict.fromkeys(found) if url]


def named_in(data: Mapping[str, object]) -> list[tuple[str, object]]:
    """Return (type, id) of what the keys of some data name, such as `order_id`."""
    return [
        (key.removesuffix("_id"), value)
        for key, value in data.items()
        if key.endswith("_id") and isinstance(value, str)
    ]


def _is_id(key: object) -> bool:
    try:
        UUID(str(key))
    except ValueError:
        return False
    return True
