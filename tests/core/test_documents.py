"""The API's own documents: nothing on them comes from another host."""

import re

import pytest
from django.contrib.staticfiles import finders
from django.test import Client


@pytest.mark.parametrize("path", ["/api/v1/docs", "/api/v1/redoc"])
def test_the_documentation_pages_load_nothing_from_outside(path: str, client: Client) -> None:
    page = client.get(path).content.decode()
    assert re.findall(r"""(?:src|href)=["'](?:https?:)?//[^"']+""", page) == []
    for asset in re.findall(r"""(?:src|href)=["']/static/([^"']+)""", page):
        assert finders.find(asset), asset
