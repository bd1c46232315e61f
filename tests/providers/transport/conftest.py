"""A client with short bounds, for a provider that no other test knows."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from apps.providers.transport import CallPolicy, ProviderClient

QUICK: dict[str, Any] = {"read_seconds": 2.0, "deadline_seconds": 10.0, "backoff_seconds": 0.01}


@pytest.fixture
def provider() -> str:
    """A name of its own, so that limiter and breaker in Valkey are fresh."""
    return f"test-{uuid4().hex[:12]}"


@pytest.fixture
def make_client(provider: str) -> Iterator[Callable[..., ProviderClient]]:
    clients: list[ProviderClient] = []

    def make(url: str, *, connection: str = "c1", policy: dict[str, Any] | None = None, **more: Any) -> ProviderClient:
        settings = CallPolicy(**{**QUICK, **(policy or {})})
        clients.append(
            ProviderClient(provider=provider, base_url=url, connection_key=connection, policy=settings, **more)
        )
        return clients[-1]

    yield make
    for client in clients:
        client.close()
