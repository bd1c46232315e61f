"""The matrix's world, for the requests that schemathesis makes up."""

from tests.matrix.conftest import database, world

__all__ = ["database", "world"]
