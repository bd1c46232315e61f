"""Fixtures of the jobs tests."""

from collections.abc import Iterator

import pytest

from apps.jobs import registry
from tests.providers.conftest import switch_read_only_as_owner

__all__ = ["switch_read_only_as_owner"]


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[None]:
    """Let each test register kinds that end with it."""
    with registry.temporarily():
        yield
