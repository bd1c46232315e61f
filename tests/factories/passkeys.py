"""A software authenticator: what a browser makes of the options of a passkey ceremony (WebAuthn Level 3; ES256)."""

import base64
import hashlib
import json
import os
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from apps.core import clock
from apps.users.models import Passkey, User

ORIGIN = "http://testserver"
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def encoded(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class SoftAuthenticator:
    """One passkey; its attributes can be set to what a wrong or wicked one would say.

    `count` is what it says of how often it was used, `step` by how much that grows with each use.
    """

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.credential_id = os.urandom(32)
        self.user_handle: bytes | None = None
        self.flags = PRESENT | VERIFIED
        self.count, self.step = 0, 0
        self.origin, self.rp_id, self.type = ORIGIN, "", ""

    @property
    def public_key(self) -> bytes:
        """The public half of its key, as a COSE key (RFC 9053, 7.1)."""
        numbers = self.key.public_key().public_numbers()
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)})

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """Answer registration options, as `PublicKeyCredential.toJSON()` does."""
        self.user_handle = base64.urlsafe_b64decode(options["user"]["id"] + "==")
        attested = bytes(16) + len(self.credential_id).to_bytes(2) + self.credential_id + self.public_key
        data = self._data(options["rp"]["id"], ATTESTED) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        response = {
            "clientDataJSON": encoded(self._client_data("webauthn.create", options)),
            "attestationObject": encoded(attestation),
            "transports": ["internal", "unheard-of"],
        }
        return self._credential(response)

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """Answer the options of a sign-in."""
        self.count += self.step
        client_data, data = self._client_data("webauthn.get", options), self._data(options["rpId"])
        signature = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": encoded(client_data),
            "authenticatorData": encoded(data),
            "signature": encoded(signature),
            "userHandle": encoded(self.user_handle) if self.user_handle else None,
        }
        return self._credential(response)

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        name = encoded(self.credential_id)
        return {"id": name, "rawId": name, "type": "public-key", "clientExtensionResults": {}, "response": response}

    def _client_data(self, kind: str, options: dict[str, Any]) -> bytes:
        told = {"type": self.type or kind, "challenge": options["challenge"], "origin": self.origin}
        return json.dumps({**told, "crossOrigin": False}).encode()

    def _data(self, rp_id: str, more: int = 0) -> bytes:
        rp_hash = hashlib.sha256((self.rp_id or rp_id).encode()).digest()
        return rp_hash + bytes([self.flags | more]) + self.count.to_bytes(4)


def make_passkey(user: User, name: str = "laptop") -> SoftAuthenticator:
    """Give a user a passkey, and return the authenticator that has it; sessions go on."""
    authenticator = SoftAuthenticator()
    authenticator.user_handle = user.id.bytes
    Passkey.objects.create(
        user=user,
        name=name,
        credential_id=authenticator.credential_id,
        public_key=authenticator.public_key,
        sign_count=0,
        transports=["internal"],
        created_at=clock.now(),
    )
    return authenticator
