"""finops_verify.py as people run it: a Python without our packages, on files, good ones and forged ones."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from apps.audit import finops_verify, merkle
from apps.audit.exporting import as_line
from apps.audit.leaf import compute_leaf_hash, leaf_content
from apps.audit.models import AuditEntry
from apps.audit.opening import OpenedEntry
from apps.audit.sealing import SubjectKey, reveal, seal
from apps.audit.services import new_entry
from apps.core.actor import system_actor

pytestmark = pytest.mark.no_database

PROGRAM = Path(finops_verify.__file__)
ACME = UUID("0198c5a0-0000-7000-8000-00000000000a")
ORIGIN = f"finops.example/audit/{ACME}"
KEY, OTHER_KEY = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
START = datetime(2026, 3, 2, 12, tzinfo=UTC)
SIZE = 21
ANOTHER = "finops.example/audit/another"
ACTOR = system_actor("tests", tenant_id=ACME)
ADA = SubjectKey(str(UUID(int=8)), str(UUID(int=7)), AESGCM(bytes(32)))


def _entry(number: int) -> AuditEntry:
    changes = {"note": [None, f'"Grüße"\t{number} \u2028 𝄞'], "\ue000": [1, -2], "\U0001f600": [True, None]}
    at = START + timedelta(seconds=number)
    entry = new_entry(action="order.noted", actor=ACTOR, target_type="order", target_id="7", now=at, changes=changes)
    entry.actor = {"kind": "user", "tenant_id": str(ACME), "user_id": ADA.subject}
    entry.personal = {"actor": seal({"label": "ada", "ip": "192.0.2.7"}, key=ADA, entry_id=entry.id, part="actor")}
    entry.leaf_hash = compute_leaf_hash(entry)
    entry.sequence = number
    return entry


def _opened(entry: AuditEntry) -> OpenedEntry:
    found = reveal(entry.personal["actor"], cipher=ADA.cipher, entry_id=entry.id, part="actor")
    return OpenedEntry(entry, entry.actor | found.members, entry.changes, {"actor": found.salt.hex()})


LOG = [_entry(number) for number in range(1, SIZE + 1)]
HASHES = [bytes(entry.leaf_hash) for entry in LOG]
LINES = [as_line(_opened(entry)) for entry in LOG]


def _signed(
    size: int, root: bytes, *, key: Ed25519PrivateKey = KEY, origin: str = ORIGIN, name: str | None = None
) -> str:
    text, name = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n", name or origin
    signature = base64.b64encode(_key_id(key, name) + key.sign(text.encode())).decode()
    return f"{text}\n— {name} {signature}\n"


def _checkpoint(size: int, **options: Any) -> str:
    return _signed(size, merkle.root_of_leaves(HASHES[:size]), **options)


def _key_id(key: Ed25519PrivateKey, name: str) -> bytes:
    return sha256(name.encode() + b"\n\x01" + key.public_key().public_bytes_raw()).digest()[:4]


def _shown_key(key: Ed25519PrivateKey, *names: str) -> str:
    encoded = base64.b64encode(b"\x01" + key.public_key().public_bytes_raw()).decode()
    keys = [{"verifier_key": f"{name}+{_key_id(key, name).hex()}+{encoded}"} for name in names or (ORIGIN,)]
    return json.dumps({"keys": keys})


def _shown(entry: AuditEntry) -> dict[str, Any]:
    """As the API shows it."""
    opened = _opened(entry)
    shown = {"sequence": entry.sequence, "leaf_hash": bytes(entry.leaf_hash).hex(), "salts": opened.salts}
    return {**leaf_content(entry), "actor": opened.actor, "changes": opened.changes, **shown}


def _split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


def _inclusion(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """RFC 9162, section 2.1.3.1, word by word."""
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*_inclusion(index, leaves[:split]), merkle.root_of_leaves(leaves[split:])]
    return [*_inclusion(index - split, leaves[split:]), merkle.root_of_leaves(leaves[:split])]


def _consistency(size: int, leaves: Sequence[bytes], *, is_whole: bool = True) -> list[bytes]:
    """RFC 9162, section 2.1.4.1, word by word."""
    if size == len(leaves):
        return [] if is_whole else [merkle.root_of_leaves(leaves)]
    split = _split(len(leaves))
    if size <= split:
        return [*_consistency(size, leaves[:split], is_whole=is_whole), merkle.root_of_leaves(leaves[split:])]
    return [*_consistency(size - split, leaves[split:], is_whole=False), merkle.root_of_leaves(leaves[:split])]


def _proof(index: int, size: int = SIZE) -> dict[str, Any]:
    path = [step.hex() for step in _inclusion(index, HASHES[:size])]
    return {"index": index, "tree_size": size, "leaf_hash": HASHES[index].hex(), "path": path}


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Write each file of a call (a name and what is in it), run the program, return its exit code and words."""
    (tmp_path / "key").write_text(_shown_key(KEY))

    def call(command: str, *arguments: str, **files: Any) -> tuple[int, str]:
        _write(tmp_path, files)
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(PROGRAM), command, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return call


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The same in this process, at a tenth of the cost."""
    (tmp_path / "key").write_text(_shown_key(KEY))
    monkeypatch.chdir(tmp_path)

    def call(command: str, *arguments: str, **files: Any) -> tuple[int, str]:
        _write(tmp_path, files)
        monkeypatch.setattr(sys, "argv", [str(PROGRAM), command, *arguments])
        code = finops_verify.main()
        said = capsys.readouterr()
        return code, said.out + said.err

    return call


def _write(folder: Path, files: dict[str, Any]) -> None:
    for name, content in files.items():
        data = content if isinstance(content, bytes | str) else json.dumps(content)
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


KEPT = ("--checkpoint", "kept", "--key", "key")


def test_an_export_verifies_against_the_checkpoint_kept_and_the_one_of_now(run: Run) -> None:
    code, said = run(
        "export", "one", "two", "--checkpoint", "now", *KEPT,
        one=b"".join(LINES[:9]), two=b"".join(LINES[9:]), kept=_checkpoint(13), now=_checkpoint(20),
    )  # fmt: skip
    assert code == 0, said
    assert "verified: the first 13 entries are those of kept\nverified: the first 20 entries are those of now" in said
    assert "not proven: entries from 21 on, which are later than every checkpoint\nVERIFIED\n" in said


def _edited(number: int) -> bytes:
    return LINES[number - 1].replace(b'"order.noted"', b'"order.voted"')


def _forged(number: int) -> bytes:
    """An edit of somebody who thought of the leaf's hash, too."""
    entry = _entry(number)
    entry.changes["note"] = [None, "eve"]
    entry.leaf_hash = merkle.leaf_hash(finops_verify.canonical(leaf_content(entry)).encode())
    return as_line(_opened(entry))


@pytest.mark.parametrize(
    ("lines", "code", "said"),
    [
        ([*LINES[:4], _edited(5), *LINES[5:]], 1, "entry 5 was ALTERED: it hashes to"),
        ([*LINES[:4], _forged(5), *LINES[5:]], 1, "the first 13 entries hash to"),
        ([*LINES[:4], *LINES[5:]], 1, "entry 6 stands where 5 has to: entries are MISSING, ADDED or REORDERED"),
        ([*LINES[:4], LINES[3], *LINES[4:]], 1, "entry 4 stands where 5 has to"),
        ([*LINES[:4], LINES[5], LINES[4], *LINES[6:]], 1, "entry 6 stands where 5 has to"),
        (LINES[:12], 1, "12 entries, of 13 in kept: TRUNCATED, or not all is here"),
        ([], 1, "0 entries, of 13 in kept"),
        (LINES[4:], 2, "the export begins with entry 5: give the parts before it, too"),
        ([*LINES[:13], LINES[13][:-9]], 2, "line 14 is cut off, or not as GET /audit/export has it"),
        ([*LINES[:4], LINES[4].replace(b'"opened"', b'"leaf":{},"opened"'), *LINES[5:]], 2, "line 5 is cut off, or"),
        ([*LINES[:4], LINES[4].replace(b":5,", b":05,"), *LINES[5:]], 2, "line 5 is cut off, or"),
    ],
)  # fmt: skip
def test_a_forged_export_is_told_by_what_is_wrong_with_it(judge: Run, lines: list[bytes], code: int, said: str) -> None:
    found, told = judge("export", "log", *KEPT, log=b"".join(lines), kept=_checkpoint(13))
    assert (found, said in told) == (code, True), told
    assert "\nVERIFIED" not in told


@pytest.mark.parametrize(
    ("checkpoint", "code", "said"),
    [
        (_checkpoint(13, key=OTHER_KEY), 1, f"kept is NOT SIGNED by a key that you gave ({ORIGIN})"),
        (_checkpoint(13).replace("\n13\n", "\n12\n"), 1, "kept is NOT SIGNED"),
        (_checkpoint(13, origin=ANOTHER, name=ORIGIN), 1, "kept is NOT SIGNED"),
        (_signed(13, merkle.root_of_leaves(HASHES[:12])), 1, "the first 13 entries hash to"),
        ("Not Found", 2, "kept is no checkpoint: origin, size, root, an empty line, signatures"),
        ("", 2, "kept is no checkpoint"),
    ],
)
def test_a_checkpoint_that_is_none_proves_nothing(judge: Run, checkpoint: str, code: int, said: str) -> None:
    found, told = judge("export", "log", *KEPT, log=b"".join(LINES), kept=checkpoint)
    assert (found, said in told) == (code, True), told


def test_what_is_missing_cannot_be_judged(run: Run) -> None:
    assert run("export", "log", "--key", "key")[0] == 2
    code, said = run("export", "log", *KEPT, kept=_checkpoint(13))
    assert (code, "No such file or directory" in said) == (2, True)


def test_entries_are_recomputed_as_the_api_shows_them(judge: Run) -> None:
    code, said = judge("entry", "page", page={"data": [_shown(entry) for entry in LOG], "next_cursor": None})
    assert (code, said) == (0, f"recomputed: {SIZE} leaf hashes\nVERIFIED\n")
    altered = _shown(LOG[2]) | {"action": "order.filled"}
    code, said = judge("entry", "one", one=altered)
    assert (code, f"entry {LOG[2].id} was ALTERED" in said) == (1, True)
    assert judge("entry", "one", one=_shown(LOG[2]) | {"changes": {"price": [1.5, 2]}})[0] == 1
    assert judge("entry", "one", one={"id": "1"})[0] == 2
    twice = json.dumps(_shown(LOG[2])).replace('"changes"', '"changes": {"note": [null, "eve"]}, "changes"', 1)
    code, said = judge("entry", "one", one=twice)
    assert (code, "is named twice: readers differ in which of them counts" in said) == (1, True)


def test_what_is_shown_of_people_is_held_to_what_was_sealed(judge: Run) -> None:
    shown = _shown(LOG[2])
    code, said = judge("entry", "one", one=shown | {"actor": shown["actor"] | {"label": "eve"}})
    assert (code, f"entry {LOG[2].id} was ALTERED: its leaf commits to another actor" in said) == (1, True)
    ids = {name: value for name, value in shown["actor"].items() if name not in ("label", "ip")}
    assert judge("entry", "one", one=shown | {"actor": ids, "salts": {}})[0] == 0, "erased, its hash holds"
    code, said = judge("entry", "one", one=shown | {"actor": ids | {"user_id": "7"}, "salts": {}})
    assert (code, f"entry {LOG[2].id} was ALTERED" in said) == (1, True)


def test_what_an_export_shows_of_people_stands_where_it_was_sealed(judge: Run) -> None:
    shown = LINES[4].split(b"\t")
    swapped = b"\t".join([*shown[:3], shown[5], shown[4], shown[3], shown[6]])
    code, said = judge("export", "log", *KEPT, log=b"".join([*LINES[:4], swapped, *LINES[5:]]), kept=_checkpoint(13))
    assert (code, "an entry was ALTERED" in said) == (1, True), "the actor's words are shown as changes"


def _both_sealed(changes: dict[str, Any]) -> OpenedEntry:
    """An entry of which both parts say something of people, in a form that fits the other's place as well."""
    entry = _entry(1)
    entry.changes = changes
    entry.personal = {part: seal({"label": part}, key=ADA, entry_id=entry.id, part=part) for part in PARTS}
    entry.leaf_hash = compute_leaf_hash(entry)
    found = {part: reveal(entry.personal[part], cipher=ADA.cipher, entry_id=entry.id, part=part) for part in PARTS}
    salts = {part: found[part].salt.hex() for part in PARTS}
    return OpenedEntry(entry, entry.actor | found["actor"].members, changes | found["changes"].members, salts)


PARTS = ("actor", "changes")


def _shown_parts(line: bytes, **replaced: bytes) -> bytes:
    """The line with other words about people."""
    pieces = line.split(b"\t")
    pieces[3], pieces[5] = replaced.get("actor", pieces[3]), replaced.get("changes", pieces[5])
    return b"\t".join(pieces)


def test_each_part_of_a_line_is_held_to_its_own_digest(judge: Run) -> None:
    opened = _both_sealed({})
    line = as_line(opened)
    _, _, _, actor, _, changes, _ = line.split(b"\t")
    kept = _signed(1, bytes(opened.entry.leaf_hash))
    for good in (line, _shown_parts(line, actor=b"null"), _shown_parts(line, actor=b"null", changes=b"null")):
        assert judge("export", "log", *KEPT, log=good, kept=kept)[0] == 0, good
    wrong = [
        {"actor": changes, "changes": actor},
        {"actor": changes},
        {"changes": actor},
        {"actor": actor.replace(b':"actor"', b':"eve"')},
        {"changes": changes.replace(b':"changes"', b':"eve"')},
        {"changes": changes.replace(b'"salt"', b'"mark"')},
        {"actor": actor[:-1] + b',"label":1}'},
        {"actor": actor.replace(b'"members"', b'"Members"')},
    ]
    for parts in wrong:
        code, said = judge("export", "log", *KEPT, log=_shown_parts(line, **parts), kept=kept)
        assert (code, "an entry was ALTERED: " in said, "does not commit to" in said) == (1, True, True), (parts, said)
    code, _ = judge("export", "log", *KEPT, log=_shown_parts(line, actor=b'{"salt":"","members":{}}'), kept=kept)
    assert code == 2


def test_what_looks_like_a_sealed_part_inside_the_changes_is_none(judge: Run) -> None:
    others = _both_sealed({})
    bait = {"note": [None, {"id": "1", "personal": others.entry.personal}]}
    opened = _both_sealed(bait)
    kept = _signed(1, bytes(opened.entry.leaf_hash))
    assert judge("export", "log", *KEPT, log=as_line(opened), kept=kept)[0] == 0
    _, _, _, actor, _, changes, _ = as_line(others).split(b"\t")
    for parts in ({"actor": actor}, {"changes": changes}):
        assert judge("export", "log", *KEPT, log=_shown_parts(as_line(opened), **parts), kept=kept)[0] == 1, parts


def test_an_entry_of_the_api_shows_each_part_with_its_salt(judge: Run) -> None:
    opened = _both_sealed({"note": [None, 1]})
    entry = opened.entry
    shown = {**leaf_content(entry), "actor": opened.actor, "changes": opened.changes, "salts": opened.salts}
    shown |= {"sequence": 1, "leaf_hash": bytes(entry.leaf_hash).hex()}
    assert judge("entry", "one", one=shown)[0] == 0
    erased = {"actor": entry.actor, "changes": {**entry.changes, "label": "[erased]"}, "salts": {}}
    assert judge("entry", "one", one=shown | erased)[0] == 0
    salts, names = opened.salts, ({"label": "changes"}, {"label": "actor"})
    wrong: list[dict[str, Any]] = [
        {"salts": {"actor": salts["changes"], "changes": salts["actor"]}},
        {"actor": opened.actor | names[0], "changes": opened.changes | names[1]},
        {"salts": {**salts, "actor": salts["changes"]}, "actor": opened.actor | names[0]},
        {"salts": {}},
        {"changes": opened.changes | {"label": "eve"}, "salts": {"actor": salts["actor"]}},
        {"actor": opened.actor | {"user_id": "8"}},
        {"personal": {**entry.personal, "actor": {**entry.personal["actor"], "digest": "0" * 64}}},
        {"personal": {"actor": entry.personal["actor"]}},
    ]
    for parts in wrong:
        code, said = judge("entry", "one", one=shown | parts)
        assert (code, f"entry {entry.id} was ALTERED" in said) == (1, True), (parts, said)


def test_an_entry_is_proven_to_be_in_the_log_of_a_checkpoint(judge: Run) -> None:
    files = {"proof": _proof(11), "entry": _shown(LOG[11]), "kept": _checkpoint(SIZE)}
    assert judge("proof", "proof", "entry", *KEPT, **files)[0] == 0
    code, said = judge("proof", "proof", "entry", *KEPT, **{**files, "entry": _shown(LOG[12])})
    assert (code, "proof is the proof of another entry than entry" in said) == (1, True)
    code, said = judge("proof", "proof", "entry", *KEPT, **{**files, "entry": _shown(LOG[11]) | {"sequence": 1}})
    assert (code, "proof is the proof of another entry than entry" in said) == (1, True), "another place is shown"
    code, said = judge("proof", "proof", *KEPT, **{**files, "proof": _proof(11) | {"index": 10}})
    assert (code, "does not lead to the root of kept: the entry is NOT in that log" in said) == (1, True)
    code, said = judge("proof", "proof", *KEPT, **{**files, "kept": _checkpoint(20)})
    assert (code, "proof is for a log of 21 entries, kept has 20" in said) == (2, True)


def test_a_log_that_goes_on_is_told_from_one_that_was_forked(judge: Run) -> None:
    proof = {"path": [step.hex() for step in _consistency(13, HASHES)]}
    both = ("--checkpoint", "old", "--checkpoint", "new", "--key", "key")
    assert judge("consistency", "proof", *both, proof=proof, old=_checkpoint(13), new=_checkpoint(SIZE))[0] == 0
    fork = _signed(13, merkle.root_of_leaves([*HASHES[:12], HASHES[13]]))
    code, said = judge("consistency", "proof", *both, proof=proof, old=fork, new=_checkpoint(SIZE))
    assert (code, "21 entries does not continue that of 13: it was REWRITTEN or FORKED" in said) == (1, True)
    code, said = judge("consistency", "proof", *both, proof=proof, old=_checkpoint(SIZE), new=_checkpoint(13))
    assert (code, "the log shrank from 21 to 13 entries: it was TRUNCATED" in said) == (1, True)
    code, said = judge("consistency", "proof", *both[2:], proof=proof, new=_checkpoint(SIZE))
    assert (code, "consistency is between two checkpoints" in said) == (2, True)
    of_both, others = _shown_key(KEY, ORIGIN, ANOTHER), _checkpoint(SIZE, origin=ANOTHER)
    code, said = judge("consistency", "proof", *both, proof=proof, old=_checkpoint(13), new=others, key=of_both)
    assert (code, "these checkpoints are of different logs" in said) == (2, True)
    cut = {"path": [proof["path"][0] + proof["path"][1][:2], proof["path"][1][2:], *proof["path"][2:]]}
    code, said = judge("consistency", "proof", *both, proof=cut, old=_checkpoint(13), new=_checkpoint(SIZE))
    assert (code, "cannot be judged: OverflowError" in said) == (2, True), "a hash has 32 bytes"


@contextmanager
def _refused_if(is_wrong: bool) -> Iterator[None]:
    try:
        yield
        found = False
    except finops_verify.Forged:
        found = True
    assert found == is_wrong


def test_proofs_of_every_place_and_size_hold_and_no_others() -> None:
    for size in range(1, SIZE + 1):
        root = merkle.root_of_leaves(HASHES[:size])
        for index in range(size):
            path = _inclusion(index, HASHES[:size])
            assert finops_verify.climb(index, size - 1, HASHES[index], path)[1] == root
            old, path = merkle.root_of_leaves(HASHES[: index + 1]), _consistency(index + 1, HASHES[:size])
            finops_verify.check_consistency(index + 1, old, size, root, path)
            for wrong in (path[:-1], [*path, root], [*path[:-1], b"\x00" * 32]):
                with _refused_if(wrong != path):
                    finops_verify.check_consistency(index + 1, old, size, root, wrong)


def test_a_tree_that_grows_by_any_steps_has_the_root_of_its_leaves() -> None:
    for step in (1, 2, 3, 5, 8, 21):
        peaks: list[tuple[int, bytes]] = []
        for start in range(0, SIZE, step):
            finops_verify.grow(peaks, HASHES[start : start + step])
            assert finops_verify.root_of(peaks) == merkle.root_of_leaves(HASHES[: start + step])
    assert finops_verify.root_of([]) == merkle.EMPTY_ROOT


def _vectors(realdata: Path) -> list[tuple[str, dict[str, Any]]]:
    paths = sorted((realdata / "crypto_vectors" / "merkle_rfc6962").glob("*__*.json"))
    return [(path.name, json.loads(path.read_text())) for path in paths]


def test_the_vectors_of_rfc_6962_are_judged_as_they_say(realdata: Path) -> None:
    decode = base64.b64decode
    for name, vector in _vectors(realdata):
        path = [decode(step) for step in vector["proof"] or []]
        if name == "inclusion__single-entry__empty-root-and-leaf.json":
            continue  # no root here is empty: checkpoints and hashes are read before
        with _refused_if(vector["wantErr"]):
            if name.startswith("inclusion"):
                leaf, root = decode(vector["leafHash"]), decode(vector["root"] or "")
                if finops_verify.climb(vector["leafIdx"], vector["treeSize"] - 1, leaf, path)[1] != root:
                    raise finops_verify.Forged
            else:
                old, new = decode(vector["root1"] or ""), decode(vector["root2"] or "")
                finops_verify.check_consistency(vector["size1"], old, vector["size2"], new, path)


def _signatures(realdata: Path) -> list[tuple[bytes, dict[str, Any]]]:
    suite = json.loads((realdata / "crypto_vectors" / "wycheproof" / "ed25519_test.json").read_text())
    return [(bytes.fromhex(group["publicKey"]["pk"]), test) for group in suite["testGroups"] for test in group["tests"]]


def _assert_judged(vectors: Sequence[tuple[bytes, dict[str, Any]]]) -> None:
    for public, test in vectors:
        verdict = finops_verify.is_signed(public, bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]))
        assert verdict == (test["result"] == "valid"), test


def test_signatures_are_judged_as_wycheproof_says(realdata: Path) -> None:
    _assert_judged(_signatures(realdata)[::15])


@pytest.mark.prove
def test_all_signatures_are_judged_as_wycheproof_says(realdata: Path) -> None:
    vectors = _signatures(realdata)
    assert len(vectors) == 151
    _assert_judged(vectors)


@pytest.mark.parametrize("name", ["arrays", "structures"])
def test_canonical_json_is_that_of_the_rfc(realdata: Path, name: str) -> None:
    folder = realdata / "crypto_vectors" / "jcs_rfc8785"
    value = json.loads((folder / f"{name}.input.json").read_text(), parse_float=lambda text: int(float(text)))
    expected = bytes.fromhex("".join((folder / f"{name}.outhex.txt").read_text().split()))
    assert finops_verify.canonical(value).encode() == expected


def test_it_is_one_file_that_can_be_read() -> None:
    text = PROGRAM.read_text()
    assert len(text.splitlines()) < 300
    imported = {line.split()[1].split(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= sys.stdlib_module_names | {"__future__"}
