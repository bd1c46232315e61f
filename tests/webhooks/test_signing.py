"""Signatures, checked by the specification's own library and its own example."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook

from apps.core.crypto import DecryptionFailed
from apps.webhooks import signing
from apps.webhooks.types import SigningKey

pytestmark = pytest.mark.no_database

TENANT, OTHER_TENANT = UUID(int=1), UUID(int=2)
ENDPOINT, OTHER_ENDPOINT = UUID(int=3), UUID(int=4)


def test_the_example_of_the_specification() -> None:
    key = SigningKey("symmetric", base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
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
    assert (prefix, base64.b64decode(encoded, validate=True)) == ("whsec_", key.key)
    assert len(key.key) == 32
    assert signing.new_key() != key


def test_a_sealed_value_opens_for_its_endpoint_and_purpose_alone() -> None:
    key = signing.new_key().key
    place: dict[str, Any] = {"tenant_id": TENANT, "endpoint_id": ENDPOINT, "kind": "symmetric"}
    ciphertext, key_id = signing.seal(key, **place)
    assert (key_id, key in ciphertext) == ("t1", False)
    assert signing.open_sealed(ciphertext, **place) == key
    for elsewhere in ({"tenant_id": OTHER_TENANT}, {"endpoint_id": OTHER_ENDPOINT}, {"kind": "headers"}):
        with pytest.raises(DecryptionFailed):
            signing.open_sealed(ciphertext, **{**place, **elsewhere})


def test_the_vectors_of_the_specification(realdata: Path) -> None:
    vector = json.loads((realdata / "crypto_vectors/webhook_signatures/standard_webhooks_vector.json").read_text())
    key = SigningKey("symmetric", base64.b64decode(vector["secret"].removeprefix("whsec_")))
    sent = vector["headers"]
    signature = signing.sign(sent["webhook-id"], int(sent["webhook-timestamp"]), vector["body"].encode(), [key])
    assert signature == sent["webhook-signature"]
    assert signature in vector["also_valid_headers"][0].split(" ")
    assert signature not in vector["invalid_headers"]


# RFC 8032 7.1, test 1: what anybody else's Ed25519 makes of this seed.
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")


def test_an_asymmetric_signature_is_checked_with_the_public_key_alone() -> None:
    key = SigningKey("asymmetric", SEED)
    assert signing.public_key_of(key) == "whpk_" + base64.b64encode(PUBLIC).decode()
    assert signing.shown(key) == ""
    version, _, encoded = signing.sign("a-message", 1614265330, b'{"test": 1}', [key]).partition(",")
    assert version == "v1a"
    public, signature = Ed25519PublicKey.from_public_bytes(PUBLIC), base64.b64decode(encoded, validate=True)
    public.verify(signature, b'a-message.1614265330.{"test": 1}')
    with pytest.raises(InvalidSignature):
        public.verify(signature, b'a-message.1614265331.{"test": 1}')


def test_keys_of_both_kinds_sign_together() -> None:
    keys = [signing.new_key("asymmetric"), signing.new_key("symmetric")]
    both = signing.sign("a-message", 1, b"{}", keys)
    assert [one.split(",")[0] for one in both.split(" ")] == ["v1a", "v1"]
    assert signing.new_key("asymmetric").kind == "asymmetric"
    assert signing.public_key_of(keys[1]) == ""
