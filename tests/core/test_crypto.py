import base64

import pytest

from apps.core.crypto import DecryptionFailed, decrypt, encrypt
from apps.core.keyrings import parse_keys

pytestmark = pytest.mark.no_database

OLD = "k1:" + base64.b64encode(b"1" * 32).decode()
NEW = "k2:" + base64.b64encode(b"2" * 32).decode()


def test_a_secret_comes_back_for_its_own_row_alone(settings) -> None:
    settings.FIELD_KEYS = OLD
    sealed = encrypt(b"token", bound_to="connection:a:1")
    assert decrypt(sealed, bound_to="connection:a:1") == b"token"
    with pytest.raises(DecryptionFailed, match="does not belong here"):
        decrypt(sealed, bound_to="connection:b:1")


def test_the_ciphertext_shows_nothing_and_never_repeats(settings) -> None:
    settings.FIELD_KEYS = OLD
    first, second = encrypt(b"token", bound_to="x"), encrypt(b"token", bound_to="x")
    assert b"token" not in first
    assert first != second


def test_every_flipped_bit_is_noticed(settings) -> None:
    settings.FIELD_KEYS = OLD
    sealed = bytearray(encrypt(b"token", bound_to="x"))
    for position in range(len("k1|"), len(sealed)):
        altered = bytearray(sealed)
        altered[position] ^= 1
        with pytest.raises(DecryptionFailed):
            decrypt(bytes(altered), bound_to="x")


def test_a_rotated_ring_reads_the_old_and_writes_the_new(settings) -> None:
    settings.FIELD_KEYS = OLD
    sealed = encrypt(b"token", bound_to="x")
    settings.FIELD_KEYS = f"{NEW},{OLD}"
    assert decrypt(sealed, bound_to="x") == b"token"
    assert encrypt(b"token", bound_to="x").startswith(b"k2|")
    settings.FIELD_KEYS = NEW
    with pytest.raises(DecryptionFailed, match="k1"):
        decrypt(sealed, bound_to="x")


@pytest.mark.parametrize(
    ("ring", "complaint"),
    [
        ("", "no key"),
        ("k1:???", "base64"),
        ("k1:" + base64.b64encode(b"short").decode(), "32 bytes"),
        ("noid", "32 bytes"),
    ],
)
def test_a_malformed_ring_is_named(ring: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_keys(ring)
