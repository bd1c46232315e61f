"""Signatures, checked by the specification's own library and its own example."""

import base64
from datetime import UTC, datetime
from uuid import UUID

import pytest
from standardwebhooks import Webhook

from apps.core.crypto import DecryptionFailed
from apps.webhooks import signing

pytestmark = pytest.mark.no_database

TENANT, OTHER_TENANT = UUID(int=1), UUID(int=2)
ENDPOINT, OTHER_ENDPOINT = UUID(int=3), UUID(int=4)


def test_the_example_of_the_specification() -> None:
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    signature = signing.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, [key])
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_library_signs_the_same() -> None:
    key = signing.new_key()
    at = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    theirs = Webhook(signing.shown(key)).sign("a-message", at, '{"type":"grüß"}')
    assert signing.sign("a-message", int(at.timestamp()), '{"type":"grüß"}'.encode(), [key]) == theirs


def test_each_key_adds_its_signature() -> None:
    keys = [signing.new_key(), signing.new_key()]
    both = signing.sign("a-message", 1, b"{}", keys)
    assert both.split(" ") == [signing.sign("a-message", 1, b"{}", [key]) for key in keys]


def test_a_secret_is_the_prefix_and_32_bytes() -> None:
    key = signing.new_key()
    prefix, encoded = signing.shown(key)[:6], signing.shown(key)[6:]
    assert (prefix, base64.b64decode(encoded, validate=True)) == ("whsec_", key)
    assert len(key) == 32
    assert signing.new_key() != key


def test_a_sealed_key_opens_for_its_endpoint_alone() -> None:
    key = signing.new_key()
    ciphertext, key_id = signing.seal(key, tenant_id=TENANT, endpoint_id=ENDPOINT)
    assert (key_id, key in ciphertext) == ("t1", False)
    assert signing.open_sealed(ciphertext, tenant_id=TENANT, endpoint_id=ENDPOINT) == key
    for tenant_id, endpoint_id in ((OTHER_TENANT, ENDPOINT), (TENANT, OTHER_ENDPOINT)):
        with pytest.raises(DecryptionFailed):
            signing.open_sealed(ciphertext, tenant_id=tenant_id, endpoint_id=endpoint_id)
