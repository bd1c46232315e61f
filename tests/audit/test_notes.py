"""Signed notes, against the example of the specification (https://c2sp.org/signed-note) and what tampering does."""

import base64
from hashlib import sha256

import pytest

from apps.audit.notes import Checkpoint, NoteRefused, SigningKey, VerifierKey, open_note, sign

pytestmark = pytest.mark.no_database

EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
FOO = VerifierKey("example.com/foo", base64.b64decode(EXAMPLE_KEY.split("+", 2)[2])[1:])
OLD, NEW = (SigningKey("example.com/log", bytes([number] * 32)) for number in (1, 2))
HEAD = Checkpoint("example.com/log", 7, sha256(b"root").digest())


def test_the_example_of_the_specification() -> None:
    assert str(FOO) == EXAMPLE_KEY
    assert open_note(EXAMPLE, [FOO]) == "This is an example message.\n"


def test_a_checkpoint_is_three_lines_and_a_signature() -> None:
    note = sign(HEAD.text, [OLD])
    origin, size, root, blank, signature, end = note.split("\n")
    assert (origin, size, root, blank, end) == (
        "example.com/log",
        "7",
        base64.b64encode(HEAD.root_hash).decode(),
        "",
        "",
    )
    dash, name, encoded = signature.split(" ")
    assert (dash, name, len(base64.b64decode(encoded))) == ("—", "example.com/log", 4 + 64)
    assert Checkpoint.from_text(open_note(note, [OLD.verifier])) == HEAD


def test_while_both_keys_sign_whoever_knows_one_can_read() -> None:
    note = sign(HEAD.text, [NEW, OLD])
    for known in ([OLD.verifier], [NEW.verifier], [OLD.verifier, NEW.verifier]):
        assert open_note(note, known) == HEAD.text
    assert note.index(NEW.signature_line(HEAD.text)) < note.index(OLD.signature_line(HEAD.text))


@pytest.mark.parametrize(
    "tampered",
    [
        sign(HEAD.text, [OLD]).replace("\n7\n", "\n8\n"),
        sign(HEAD.text, [NEW]),
        sign(HEAD.text, [SigningKey("example.com/other", OLD.seed)]),
        sign(HEAD.text, [OLD]).replace("— ", "- "),
        sign(HEAD.text, [OLD]).rstrip("\n"),
        sign(HEAD.text, [OLD]).replace("\n\n", "\n"),
        sign(HEAD.text, [OLD]) + "nonsense\n",
        sign(HEAD.text, [NEW, OLD]).replace(HEAD.text, HEAD.text.replace("7", "70")),
        HEAD.text,
        "",
    ],
)
def test_a_note_that_was_altered_is_refused(tampered: str) -> None:
    with pytest.raises(NoteRefused):
        open_note(tampered, [OLD.verifier])


def test_a_key_that_is_known_must_have_signed_this_text_even_beside_one_that_has() -> None:
    forged = sign(HEAD.text, [NEW]) + OLD.signature_line("another text\n")
    with pytest.raises(NoteRefused, match="not of this text"):
        open_note(forged, [NEW.verifier, OLD.verifier])
    assert open_note(forged, [NEW.verifier]) == HEAD.text


ROOT = base64.b64encode(HEAD.root_hash).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log\n7\n",
        f"log\n07\n{ROOT}\n",
        f"log\n-7\n{ROOT}\n",
        f"log\n٧\n{ROOT}\n",
        f"\n7\n{ROOT}\n",
        "log\n7\nAAAA\n",
        "log\n7\n!\n",
    ],
)
def test_a_text_that_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteRefused):
        Checkpoint.from_text(text)


def test_extension_lines_mean_nothing_here() -> None:
    assert Checkpoint.from_text(HEAD.text + "an extension\n") == HEAD
