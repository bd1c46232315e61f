"""What one place decides for all operations is tried on all of them in shares, so that the suite stays quick."""

from collections.abc import Iterable
from typing import TypeVar

from tests.matrix.routes import OPERATIONS, Route

T = TypeVar("T")


def share(values: Iterable[T], route: Route, method: str, *, parts: int = 3) -> list[T]:
    """Return one part of the values; the next operation gets the next part."""
    return list(values)[OPERATIONS.index((route, method)) % parts :: parts]
