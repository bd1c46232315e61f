"""Every page of the admin that takes an id, read from its URLs, with ids that are nobody's or no ids at all."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver

from apps.core.ids import new_id
from tests.backoffice.world import World

UNKNOWN = str(new_id())
ODD = (
    "0",
    "-1",
    "9" * 40,
    "x" * 300,
    "%00",
    "%ED%A0%80",
    "_25",
    "%2e%2e",
    "'; DROP TABLE users_user; --",
    UNKNOWN.upper(),
)


def pages(entries: list[Any], prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    """Return the path of every page with arguments, and their names."""
    for entry in entries:
        pattern = entry.pattern
        path = prefix + str(pattern)
        if isinstance(entry, URLResolver):
            yield from pages(entry.url_patterns, path)
        elif isinstance(entry, URLPattern) and "<" in path:
            yield path, path.split("<")[1:]


def with_ids(path: str, value: str) -> str:
    """Put a value in the place of every argument."""
    parts = path.split("<")
    return "/admin/" + parts[0] + "".join(value + part.split(">", 1)[1] for part in parts[1:])


PAGES = sorted(
    {path for path, _names in pages(list(admin.site.urls[0])) if "(?P" not in path and "app_label" not in path}
)


def assert_no_error(path: str, client: Client, ids: tuple[str, ...]) -> None:
    """GET and POST: a word on another page, a refusal or a 404."""
    client.raise_request_exception = False
    for method in (client.get, client.post):
        for odd in ids:
            answer = method(with_ids(path, odd))
            assert answer.status_code in (302, 403, 404, 405), (path, odd, answer.status_code)


def test_there_are_pages_with_ids() -> None:
    assert len(PAGES) > 3 * len(admin.site._registry)


def test_a_few_ids_on_a_few_pages(world: World, staff_client: Client) -> None:
    for path in PAGES[::15]:
        assert_no_error(path, staff_client, (UNKNOWN, "%00"))


@pytest.mark.prove
@pytest.mark.parametrize("path", PAGES)
def test_every_odd_id_on_every_page(path: str, world: World, staff_client: Client) -> None:
    assert_no_error(path, staff_client, (UNKNOWN, *ODD))
