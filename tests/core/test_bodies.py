"""Bodies as structs: good ones at once, bad ones field by field."""

from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
import pytest
from django.core.exceptions import RequestDataTooBig
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from apps.core.api.bodies import PlainDecimal, decode_body
from apps.core.api.parsers import JSONParser
from apps.core.errors import BodyTooLarge, MalformedRequest, ValidationFailed

pytestmark = pytest.mark.no_database


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Paint(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    colour: Colour
    litres: PlainDecimal
    shop: UUID | None = None
    matt: bool = False


MESSAGES = dict.fromkeys(("colour", "litres", "shop", "matt"), "Not so.")


def decode(raw: bytes, content_type: str = "application/json") -> Paint:
    parsers: list[BaseParser] = [JSONParser()]
    content: Any = raw  # bytes are taken as they are; the stubs know text only
    request = Request(APIRequestFactory().generic("POST", "/", content, content_type), parsers=parsers)
    return decode_body(request, Paint, MESSAGES)


def test_a_good_body():
    assert decode(b'{"colour": "red", "litres": "2.50"}') == Paint(colour=Colour.RED, litres="2.50")
    shop = UUID(int=1)
    whole = Paint(colour=Colour.BLUE, litres="-0", shop=shop, matt=True)
    assert decode(msgspec.json.encode(whole)) == whole


def test_parameters_of_the_media_type_do_not_matter():
    assert decode(b'{"colour": "red", "litres": "1"}', "Application/JSON; charset=utf-8").litres == "1"


def test_every_error_at_once():
    with pytest.raises(ValidationFailed) as refusal:
        decode(b'{"litres": 2.5, "shop": "?", "matt": null, "b": 1, "a": 2}')
    assert refusal.value.extra["errors"] == [
        {"field": "colour", "code": "required", "message": "This field is required."},
        {"field": "litres", "code": "invalid", "message": "Not so."},
        {"field": "shop", "code": "invalid", "message": "Not so."},
        {"field": "matt", "code": "invalid", "message": "Not so."},
        {"field": "a", "code": "unknown_field", "message": "This field is not known here."},
        {"field": "b", "code": "unknown_field", "message": "This field is not known here."},
    ]


def test_nothing_is_an_empty_object():
    with pytest.raises(ValidationFailed) as refusal:
        decode(b"")
    assert [error["field"] for error in refusal.value.extra["errors"]] == ["colour", "litres"]


@pytest.mark.parametrize("raw", [b"{", b"[]", b"null", b'{"colour": "\xff"}', b'{"litres": 1e99999999999999999999}'])
def test_what_is_no_object(raw: bytes):
    with pytest.raises(MalformedRequest):
        decode(raw)


def test_what_is_too_large():
    with pytest.raises((BodyTooLarge, RequestDataTooBig)):
        decode(b'{"colour": "' + b"r" * 1_100_000 + b'"}')
