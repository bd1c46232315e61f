"""Parses request bodies: JSON objects only, numbers exact."""

from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any

import msgspec
from django.utils.translation import gettext as _
from rest_framework.parsers import BaseParser

from apps.core.errors import MalformedRequest

_decoder = msgspec.json.Decoder(float_hook=Decimal)


class JSONParser(BaseParser):
    """Decode a JSON object; fractions become Decimal, never float.

    Raises:
        MalformedRequest: the body is not JSON, or not an object.
    """

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            data = _decoder.decode(stream.read())
        except (msgspec.DecodeError, RecursionError) as error:
            raise MalformedRequest(_("The body is not valid JSON: %(reason)s") % {"reason": error}) from error
        if not isinstance(data, dict):
            raise MalformedRequest(_("The body must be a JSON object."))
        return data
