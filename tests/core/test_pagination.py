from uuid import UUID

import pytest

from apps.core.api.pagination import decode_cursor, encode_cursor
from apps.core.errors import InvalidCursor

pytestmark = pytest.mark.no_database

ROW = UUID("0198c5a0-0000-7000-8000-000000000001")


def test_a_cursor_carries_the_ordering_values() -> None:
    assert decode_cursor(encode_cursor([ROW, 7]), [UUID, int]) == [ROW, 7]


@pytest.mark.parametrize("cursor", ["", "x", "é", "W10", encode_cursor(["not-a-uuid"]), encode_cursor([str(ROW), 1])])
def test_anything_else_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(cursor, [UUID])
