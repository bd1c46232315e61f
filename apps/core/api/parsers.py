"""Parses request bodies: JSON objects only, numbers exact."""

from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any

import msgspec
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from apps.core.errors import BodyTooDeep, BodyTooLarge, MalformedRequest

# What decoding raises: also for bytes that are not UTF-8, and for an exponent beyond what Decimal holds.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError, RecursionError)

MAX_DEPTH = 20

_decoder = msgspec.json.Decoder(float_hook=Decimal)


class JSONParser(BaseParser):
    """Decode a JSON object; fractions become Decimal, never float.

    Raises:
        BodyTooLarge: the body is larger than DATA_UPLOAD_MAX_MEMORY_SIZE.
        MalformedRequest: the body is not JSON, or not an object.
        BodyTooDeep: its lists and objects are nested more than MAX_DEPTH times.
    """

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        # Django holds only `request.body` to its limit, and DRF reads the stream.
        if is_body_too_large((parser_context or {})["request"]):
            raise BodyTooLarge
        body = stream.read()
        try:
            data = _decoder.decode(body)
        except UNREADABLE as error:
            raise MalformedRequest(_("The body is not valid JSON: %(reason)s") % {"reason": error}) from error
        if not isinstance(data, dict):
            raise MalformedRequest(_("The body must be a JSON object."))
        if is_deeper_than(data, MAX_DEPTH):
            raise BodyTooDeep
        return data


def is_body_too_large(request: HttpRequest | Request) -> bool:
    """Tell whether the declared length is over the limit; nobody yields more of a body than was declared."""
    declared = request.META.get("CONTENT_LENGTH") or ""
    return declared.isdecimal() and int(declared) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def is_deeper_than(data: Any, limit: int) -> bool:
    """Tell whether lists and objects are nested in each other more than `limit` times."""
    level = [data]
    for _depth in range(limit):
        children = (value.values() if isinstance(value, dict) else value for value in level)
        level = [child for some in children for child in some if isinstance(child, dict | list)]
        if not level:
            return False
    return True
