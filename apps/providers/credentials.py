"""Credentials of connections: checked against the adapter's schema, sealed, opened."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from django.utils.translation import gettext as _

from apps.core import crypto
from apps.core.errors import ValidationFailed
from apps.providers.models import Credentials
from apps.providers.protocols import AdapterSpec, CredentialField


def check_credentials(spec: AdapterSpec, given: Mapping[str, Any]) -> dict[str, str]:
    """Return the credentials that the adapter asks for, with optional ones left out where they are empty.

    Raises:
        ValidationFailed: naming each field; no value is repeated.
    """
    fields = {field.name: field for field in spec.credentials}
    problems = [
        _problem(name, "unknown_field", _("This field is not known here.")) for name in given if name not in fields
    ]
    values: dict[str, str] = {}
    for field in fields.values():
        value = given.get(field.name)
        if value in (None, ""):
            if field.required:
                problems.append(_problem(field.name, "required", _("This field is required.")))
        elif not _is_acceptable(value, field):
            problems.append(_problem(field.name, "invalid", _("This value does not have the form that it must have.")))
        else:
            values[field.name] = str(value)
    if problems:
        raise ValidationFailed(errors=problems)
    return values


def seal(credentials: Mapping[str, str], *, tenant_id: UUID, connection_id: UUID) -> tuple[bytes, str]:
    """Return the ciphertext, bound to the connection, and the id of the key that it is under."""
    plaintext = msgspec.json.encode(dict(credentials))
    bound_to = Credentials.bound_to(tenant_id, connection_id)
    ciphertext = crypto.encrypt(plaintext, bound_to=bound_to)
    return ciphertext, crypto.key_id_of(ciphertext)


def open_sealed(row: Credentials) -> dict[str, str]:
    """Return the credentials.

    Raises:
        DecryptionFailed: the ciphertext was altered, moved, or its key is gone.
    """
    plaintext = crypto.decrypt(bytes(row.ciphertext), bound_to=Credentials.bound_to(row.tenant_id, row.connection_id))
    return msgspec.json.decode(plaintext, type=dict[str, str])


def _is_acceptable(value: Any, field: CredentialField) -> bool:
    return isinstance(value, str) and len(value) <= field.max_length and bool(re.fullmatch(field.pattern, value))


def _problem(name: str, code: str, message: str) -> dict[str, str]:
    return {"field": f"credentials.{name}", "code": code, "message": message}
