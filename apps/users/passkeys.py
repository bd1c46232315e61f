"""The two ceremonies of WebAuthn: what is asked of an authenticator, and whether its answer is right.

W3C Web Authentication Level 3; the cryptography is the library's. A passkey belongs to the name in FINOPS_BASE_URL.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import webauthn
from django.conf import settings
from django.utils.translation import gettext as _
from webauthn.helpers import options_to_json_dict, parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from apps.users.errors import PasskeysOff
from apps.users.models import Passkey, User

CHALLENGE_BYTES, CHALLENGE_SECONDS = 32, 300
LONGEST = 1023  # bytes of a credential id, in Level 3; no key that we take is longer
# The library's own, and what its parsers let through: of what a stranger sends nothing may be taken for granted.
_ERRORS = (WebAuthnException, ValueError, TypeError, KeyError, OverflowError)
_MILLISECONDS = CHALLENGE_SECONDS * 1000


class Unverified(Exception):
    """The answer is not right; the text says why, for the log alone."""


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Whom passkeys are for: the host name `id`, on pages of `origin`."""

    id: str
    origin: str


@dataclass(frozen=True, slots=True)
class NewCredential:
    """What a new passkey says of itself; `public_key` is a COSE key."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: list[str]


@dataclass(frozen=True, slots=True)
class Assertion:
    """Which passkey answers, for whom if it says so: the part of an answer that is read before it is verified."""

    credential_id: bytes
    user_handle: bytes | None


def relying_party() -> RelyingParty:
    """Return whom passkeys are for. No IP address can have any; a loopback address has the name `localhost`.

    Raises:
        PasskeysOff: see the class.
    """
    address = urlsplit(settings.BASE_URL)
    host, port = address.hostname or "", f":{address.port}" if address.port else ""
    try:
        is_loopback = ip_address(host).is_loopback
    except ValueError:
        return RelyingParty(host, f"{address.scheme}://{host}{port}")
    if not is_loopback:
        raise PasskeysOff(_("FINOPS_BASE_URL names an IP address, and passkeys belong to a name."))
    return RelyingParty("localhost", f"{address.scheme}://localhost{port}")


def registration_options(user: User, challenge: bytes, existing: list[Passkey]) -> dict[str, Any]:
    """Return what `navigator.credentials.create` takes, as JSON: a passkey that verifies its user and finds itself."""
    selection = AuthenticatorSelectionCriteria(
        resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
    )
    options = webauthn.generate_registration_options(
        rp_id=relying_party().id,
        rp_name="finops",
        user_id=user.id.bytes,
        user_name=user.username,
        user_display_name=user.get_full_name(),
        challenge=challenge,
        timeout=_MILLISECONDS,
        authenticator_selection=selection,
        exclude_credentials=[_descriptor(passkey) for passkey in existing],
    )
    return options_to_json_dict(options)


def assertion_options(challenge: bytes) -> dict[str, Any]:
    """Return what `navigator.credentials.get` takes, as JSON. It names no passkey: whoever signs in chooses theirs."""
    options = webauthn.generate_authentication_options(
        rp_id=relying_party().id,
        challenge=challenge,
        timeout=_MILLISECONDS,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json_dict(options)


def verify_registration(credential: dict[str, Any], challenge: bytes) -> NewCredential:
    """Return the new passkey of an answer to a challenge.

    Raises:
        Unverified: see the class.
    """
    party = relying_party()
    try:
        verified = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
        )
    except _ERRORS as error:
        raise Unverified(str(error)) from error
    if max(len(verified.credential_id), len(verified.credential_public_key)) > LONGEST:
        raise Unverified("the credential id or the key is too long")
    return NewCredential(
        verified.credential_id, verified.credential_public_key, verified.sign_count, _transports(credential)
    )


def read_assertion(credential: dict[str, Any]) -> Assertion:
    """Return which passkey an answer is of.

    Raises:
        Unverified: it has not the form of an answer.
    """
    try:
        parsed = parse_authentication_credential_json(credential)
    except _ERRORS as error:
        raise Unverified(str(error)) from error
    return Assertion(parsed.raw_id, parsed.response.user_handle)


def verify_assertion(credential: dict[str, Any], challenge: bytes, public_key: bytes) -> int:
    """Return the sign count of a passkey's answer to a challenge; whether it has gone on is the caller's to judge.

    Raises:
        Unverified: see the class.
    """
    party = relying_party()
    try:
        verified = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=public_key,
            # The library would look at the count before the signature: a count that anybody may have written.
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except _ERRORS as error:
        raise Unverified(str(error)) from error
    return verified.new_sign_count


def _descriptor(passkey: Passkey) -> PublicKeyCredentialDescriptor:
    transports = [AuthenticatorTransport(transport) for transport in passkey.transports]
    return PublicKeyCredentialDescriptor(id=bytes(passkey.credential_id), transports=transports)


def _transports(credential: dict[str, Any]) -> list[str]:
    """Return what a browser says of the ways to its authenticator, as far as they are known ones."""
    said = credential["response"].get("transports")
    known = {transport.value for transport in AuthenticatorTransport}
    return sorted(known & {str(transport) for transport in said}) if isinstance(said, list) else []
