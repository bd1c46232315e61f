"""Renders answers as JSON, in the notation that the contract promises."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
from rest_framework.renderers import BaseRenderer
from rest_framework.utils.serializer_helpers import ReturnDict

from apps.core.money import plain


def _encode(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, ReturnDict):
        return dict(value)
    return str(value)  # lazy translations, StrEnum members


# msgspec writes aware UTC datetimes as RFC 3339 with Z and UUIDs as canonical strings, in C.
_encoder = msgspec.json.Encoder(enc_hook=_encode)


def to_json(data: Any) -> bytes:
    """Return `data` as UTF-8 JSON. Decimals must already be strings (serializers see to it)."""
    return _encoder.encode(data)


class JSONRenderer(BaseRenderer):
    """The only renderer: JSON for answers, and for problems under their own media type."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return b"" if data is None else to_json(data)
