"""The headers of an endpoint's own: merged, sealed, and never readable again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from apps.webhooks import headers, signing
from apps.webhooks.enums import SecretKind
from apps.webhooks.models import Endpoint, EndpointSecret

_KIND = SecretKind.HEADERS


def change_headers(endpoint: Endpoint, given: Mapping[str, str | None], *, now: datetime) -> dict[str, Any]:
    """Set and take away headers of a locked endpoint, and its `header_names`, which the caller stores.

    Returns the changes as the audit log tells them: names alone. Nothing where nothing changes.

    Raises:
        HeaderRefused: see the class.
    """
    owner: dict[str, Any] = {"tenant_id": endpoint.tenant_id, "endpoint_id": endpoint.id, "kind": _KIND}
    stored = EndpointSecret.objects.filter(endpoint_id=endpoint.id, kind=_KIND).first()
    known = msgspec.json.decode(signing.open_sealed(stored.ciphertext, **owner), type=dict[str, str]) if stored else {}
    merged = headers.merge(known, given)
    if merged.headers == known:
        return {}
    ciphertext, key_id = signing.seal(msgspec.json.encode(merged.headers), **owner)
    if not merged.headers:
        EndpointSecret.objects.filter(endpoint_id=endpoint.id, kind=_KIND).delete()
    elif stored is None:
        EndpointSecret(**owner, ciphertext=ciphertext, key_id=key_id, created_at=now).save(force_insert=True)
    else:
        stored.ciphertext, stored.key_id = ciphertext, key_id
        stored.save(update_fields=["ciphertext", "key_id"])
    before, endpoint.header_names = list(endpoint.header_names), sorted(merged.headers)
    told = {"header_names": [before, endpoint.header_names]} if before != endpoint.header_names else {}
    return told | ({"headers_set": [None, merged.set_anew]} if merged.set_anew else {})
