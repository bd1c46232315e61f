"""Fixtures of the webhooks tests."""

from tests.providers.conftest import switch_read_only_as_owner

__all__ = ["switch_read_only_as_owner"]
