"""Request bodies as msgspec structs, where a serializer costs too much (docs/adr/0010-order-intake.md).

A good body is decoded in one go. A bad one is gone through field by field, so that every error is told at once.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, TypeVar

import msgspec
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from rest_framework.request import Request

from apps.core.api.parsers import UNREADABLE, JSONParser
from apps.core.errors import ValidationFailed

Body = TypeVar("Body", bound=msgspec.Struct)
# ASCII digits in plain notation, as many as NUMERIC(38,18) holds; Decimal() would take much more for a number.
PlainDecimal = Annotated[str, msgspec.Meta(pattern=r"\A-?[0-9]{1,20}(\.[0-9]{1,18})?\Z")]


def decode_body(request: Request, kind: type[Body], messages: Mapping[str, str | Promise]) -> Body:
    """Return the request's body as a struct that forbids unknown fields; `messages` say what each field takes.

    Raises:
        UnsupportedMediaType, BodyTooLarge, MalformedRequest: as for every other body.
        ValidationFailed: `errors` names each field.
    """
    if request._request.content_type == JSONParser.media_type:
        try:
            body: Body = _decoder(kind).decode(request._request.body)
            return body
        except UNREADABLE:
            pass  # The parser of all other bodies says why, or else the fields do.
    data: dict[str, Any] = dict(request.data)
    errors = field_errors(data, kind, messages)
    if errors:
        raise ValidationFailed(errors=errors)
    return msgspec.convert(data, kind)


def field_errors(
    data: Mapping[str, Any], kind: type[msgspec.Struct], messages: Mapping[str, str | Promise]
) -> list[dict[str, str]]:
    """Return what is wrong with a JSON object, one error per field."""
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    errors = []
    for name, field in fields.items():
        if name not in data:
            if field.required:
                errors.append({"field": name, "code": "required", "message": _("This field is required.")})
        elif not _fits(data[name], field.type):
            errors.append({"field": name, "code": "invalid", "message": str(messages[name])})
    unknown = _("This field is not known here.")
    return errors + [
        {"field": name, "code": "unknown_field", "message": unknown} for name in sorted(set(data) - set(fields))
    ]


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


@lru_cache
def _decoder(kind: type[Body]) -> msgspec.json.Decoder[Body]:
    return msgspec.json.Decoder(kind)
