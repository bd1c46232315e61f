"""What one place decides for all operations is tried on all of them in shares, so that the suite stays quick."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import pytest

from tests.matrix.routes import OPERATIONS, Route

T = TypeVar("T")
PARTS = 3


def share(values: Iterable[T], route: Route, method: str, *, parts: int = PARTS) -> list[T]:
    """Return one part of the values; the next operation gets the next part."""
    return list(values)[OPERATIONS.index((route, method)) % parts :: parts]


def shared(operations: Sequence[tuple[Route, str]], *, turn: int) -> list[Any]:
    """Leave two of three operations to `make prove`; with another turn, others."""
    return [
        pytest.param(*operation, marks=() if place % PARTS == turn else pytest.mark.prove)
        for place, operation in enumerate(operations)
    ]
