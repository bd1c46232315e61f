"""Verify a finops audit log offline, with Python 3.10 or later and its standard library alone.

    finops_verify.py entry       ENTRIES
    finops_verify.py row         ROW [ENTRIES]
    finops_verify.py proof       PROOF [ENTRIES] --checkpoint CHECKPOINT --key KEY
    finops_verify.py consistency PROOF --checkpoint OLD --checkpoint NEW --key KEY
    finops_verify.py export      EXPORT [EXPORT ...] --checkpoint CHECKPOINT [--checkpoint ...] --key KEY

All are files that GET /api/v1/audit/... answered with, as docs/audit.md shows it; ENTRIES may be one entry alone.
Keep the key, and every checkpoint that you get (a witness does): what you kept is what the log is held to.
Exit code 0: verified. 1: it does NOT verify. 2: it cannot be judged.
"""

import argparse
import json
import re
import sys
from base64 import b64decode
from binascii import unhexlify
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

Checkpoint = tuple[int, bytes, str, Path]


class Forged(Exception):
    """What was given does not verify. Any other exception: it cannot be judged."""


# Ed25519 (RFC 8032, section 5.1); verification alone, so there is no secret that time could tell.
P, ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def decode_point(encoded: bytes) -> tuple[int, int] | None:
    """Return the point, or None if these bytes encode none (section 5.1.3)."""
    sign, y = divmod(int.from_bytes(encoded, "little"), 1 << 255)
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * v**3 * pow(u * v**7, (P - 5) // 8, P) % P
    x = x if v * x * x % P == u else x * pow(2, (P - 1) // 4, P) % P
    is_point = len(encoded) == 32 and y < P and v * x * x % P == u and not (x == 0 and sign)
    return ((x if x & 1 == sign else P - x), y) if is_point else None


def add_points(p: tuple[int, int], q: tuple[int, int]) -> tuple[int, int]:
    """Return p + q: the addition law, which holds for all points of the curve (section 5.1.4)."""
    (a, b), (c, d), e = p, q, D * p[0] * p[1] * q[0] * q[1] % P
    return (a * d + b * c) * pow(1 + e, -1, P) % P, (b * d + a * c) * pow(1 - e, -1, P) % P


def multiply(scalar: int, point: tuple[int, int]) -> tuple[int, int]:
    rest = multiply(scalar >> 1, add_points(point, point)) if scalar else (0, 1)
    return add_points(rest, point) if scalar & 1 else rest


def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether the signature is the key's over the message (section 5.1.7)."""
    base, key = decode_point(bytes.fromhex("58" + "66" * 31)), decode_point(public)
    s = int.from_bytes(signature[32:], "little")
    if key is None or base is None or len(signature) != 64 or s >= ORDER:
        return False
    k = int.from_bytes(sha512(signature[:32] + public + message).digest(), "little") % ORDER
    x, y = add_points(multiply(s, base), multiply(k, (P - key[0], key[1])))
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


# Merkle trees (RFC 9162, section 2.1). A node is SHA-256 of a byte 0x01 and both below, a leaf of 0x00 and its bytes.
def grow(peaks: list[tuple[int, bytes]], leaves: list[bytes]) -> None:
    """Append leaf hashes to a log, which is known by the sizes and roots of its perfect subtrees, the largest first."""
    while leaves:
        count = min([1 << (len(leaves).bit_length() - 1), *(size for size, _ in peaks[-1:])])
        level, leaves = leaves[:count], leaves[count:]
        while len(level) > 1:
            level = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2])]
        top = level[0]
        while peaks and peaks[-1][0] == count:
            count, top = 2 * count, sha256(b"\x01" + peaks.pop()[1] + top).digest()
        peaks.append((count, top))


def root_of(peaks: list[tuple[int, bytes]]) -> bytes:
    root = peaks[-1][1] if peaks else sha256(b"").digest()
    for _, peak in reversed(peaks[:-1]):
        root = sha256(b"\x01" + peak + root).digest()
    return root


def climb(place: int, last: int, start: bytes, path: list[bytes]) -> tuple[bytes, bytes]:
    """Follow a proof from a node: to the root of the log that ended with it (2.1.4.2), and of that of now (2.1.3.2)."""
    if not 0 <= place <= last:
        raise Forged(f"number {place} is not in a log that ends with number {last}")
    was = now = start
    for step in path:
        if last == 0:
            raise Forged("the proof has more hashes than its place in the log asks for")
        if place & 1 or place == last:
            was, now = (sha256(b"\x01" + step + node).digest() for node in (was, now))
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            now = sha256(b"\x01" + now + step).digest()
        place, last = place >> 1, last >> 1
    if last:
        raise Forged("the proof has fewer hashes than its place in the log asks for")
    return was, now


def check_consistency(old_size: int, old: bytes, new_size: int, new: bytes, path: list[bytes]) -> None:
    """Check that the log of the new size continues that of the old one (section 2.1.4.2)."""
    if old_size > new_size:
        raise Forged(f"the log shrank from {old_size} to {new_size} entries: it was TRUNCATED")
    place, last = old_size - 1, new_size - 1
    while place > 0 and place & 1:
        place, last = place >> 1, last >> 1
    steps = path if place > 0 else [old, *path]  # where the old root is a node of the new log, the proof leaves it out
    is_same = not path and old == (new if old_size == new_size else sha256(b"").digest())
    if not (steps and climb(place, last, steps[0], steps[1:]) == (old, new) if 0 < old_size < new_size else is_same):
        raise Forged(f"the log of {new_size} entries does not continue that of {old_size}: it was REWRITTEN or FORKED")


def canonical(value: Any) -> str:
    """Return the RFC 8785 text of what entries hold: objects, lists, text, whole numbers, true, false and null."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(canonical(name) + ":" + canonical(value[name]) for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, float):
        raise Forged(f"no entry can hold the number {value}")
    return json.dumps(value, ensure_ascii=False)


def once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(members)) < len(members):
        raise Forged(f"a member of {dict(members)} is named twice: readers differ in which of them counts")
    return dict(members)


def hash_of_entry(entry: dict[str, Any]) -> bytes:
    """Return the leaf hash of an entry of GET /audit/entries, recomputed; of people it has a salted digest alone."""
    content = {name: value for name, value in entry.items() if name not in ("sequence", "leaf_hash", "salts")}
    for part, sealed in entry.get("personal", {}).items():
        content[part] = {name: value for name, value in entry[part].items() if name not in sealed["members"]}
        shown = {name: value for name, value in entry[part].items() if name in sealed["members"]}
        digest = sha256(bytes.fromhex(entry["salts"].get(part, "")) + canonical(shown).encode()).hexdigest()
        is_erased = part not in entry["salts"] and {"[erased]", "[unreadable]"}.issuperset(map(str, shown.values()))
        if digest != sealed["digest"] and not is_erased:
            raise Forged(f"entry {entry['id']} was ALTERED: its leaf commits to another {part} than {shown}")
    found = sha256(b"\x00" + canonical(content).encode()).digest()
    if found.hex() != entry["leaf_hash"]:
        raise Forged(f"entry {entry['id']} was ALTERED: it hashes to {found.hex()}, not to {entry['leaf_hash']}")
    return found


def read_keys(path: Path) -> dict[tuple[str, bytes], bytes]:
    """Return, by name and id, the public keys that a file has in the notation of C2SP signed notes: name+id+base64."""
    found = re.findall(r'([^\s"+]+)\+([0-9a-f]{8})\+(A[Q-Za-f][A-Za-z0-9+/]{42})', path.read_text())
    keys = {(name, bytes.fromhex(number)): b64decode(encoded)[1:] for name, number, encoded in found}
    if not keys:
        raise ValueError(f"{path} names no Ed25519 key as name+id+base64")
    return keys


def read_checkpoint(path: Path, keys: dict[tuple[str, bytes], bytes]) -> Checkpoint:
    """Return a checkpoint's (C2SP tlog-checkpoint) size, root, origin and file, if one of the keys has signed it."""
    text, _, signatures = path.read_bytes().decode().rpartition("\n\n")
    origin, size, root, *_ = [*text.split("\n"), "", "", ""]
    if not re.fullmatch(r"(0|[1-9][0-9]{0,18})\n[A-Za-z0-9+/]{43}=", f"{size}\n{root}"):
        raise ValueError(f"{path} is no checkpoint: origin, size, root, an empty line, signatures")
    for name, encoded in re.findall(r"^— (\S+) ([A-Za-z0-9+/=]+)$", signatures, re.MULTILINE):
        public = keys.get((name, b64decode(encoded)[:4])) if name == origin else None  # one key signs many logs
        if public and is_signed(public, f"{text}\n".encode(), b64decode(encoded)[4:]):
            print(f"signed: {path}: {origin}, {int(size):,} entries, root {b64decode(root).hex()}")
            return int(size), b64decode(root), origin, path
    raise Forged(f"{path} is NOT SIGNED by a key that you gave ({', '.join(name for name, _ in keys)})")


# The export: a line is {"sequence":…,"leaf_hash":"…","leaf":⇥…⇥,"opened":{"actor":⇥…⇥,"changes":⇥…⇥}}, with tabs where
# JSON allows blanks. Canonical JSON has none inside: what is between the first two is, byte for byte, what was hashed.
BLOCK = 1 << 17  # bytes at once, which stay in a processor's cache
END, NEXT = b"}}\n", b'}}\n{"sequence":%d,"leaf_hash":"%s","leaf":'
ACTOR = re.compile(rb',"personal":{"actor":{"ciphertext":"[^"]*","digest":"([^"]*)"')
CHANGES = re.compile(rb',"personal":{(?:"actor":{[^}]*},)?"changes":{"ciphertext":"[^"]*","digest":"([^"]*)"')
LINE = re.compile(rb'{"sequence":([1-9]\d*),"leaf_hash":"(\w+)","leaf":\t([^\t]*)\t,"opened".*}}')


def hash_lines(lines: bytes, first: int) -> list[bytes]:
    """Return the leaf hashes of an export's lines; all around the leaves has to be what it must be."""
    pieces = lines.split(b"\t")
    hashes = [sha256(b"\x00" + leaf).digest() for leaf in pieces[1::6]]
    heads = [NEXT % (number, found.hex().encode()) for number, found in enumerate(hashes, first)]
    between = [b',"opened":{"actor":'] * len(hashes) + [b',"changes":'] * len(hashes)
    if [END + pieces[0], *pieces[6::6]] != [*heads, END] or pieces[2::6] + pieces[4::6] != between:
        explain(lines, first)
    # What a line shows of people is null or {"salt":"…","members":{…}}, of which the leaf has a salted digest.
    parts = [ACTOR] * len(hashes) + [CHANGES] * len(hashes)
    for leaf, shown, part in zip(pieces[1::6] * 2, pieces[3::6] + pieces[5::6], parts):
        if shown != b"null":
            digest = sha256(unhexlify(shown[9:73]) + shown[85:-1]).hexdigest().encode()
            sealed = part.match(leaf, leaf.rfind(b',"personal":{'))  # the last is the leaf's own: behind are but texts
            if not sealed or sealed[1] != digest or shown[:9] + shown[73:85] + shown[-1:] != b'{"salt":"","members":}':
                raise Forged(f"an entry was ALTERED: {leaf.decode()} does not commit to {shown.decode()}")
    return hashes


def explain(lines: bytes, first: int) -> None:
    """Say what is wrong with the first line that is not as it has to be."""
    for expected, line in enumerate(lines.splitlines(), first):
        if not (found := LINE.fullmatch(line)):
            raise ValueError(f"line {expected} is cut off, or not as GET /audit/export has it: {line[:60]!r}")
        number, claimed, computed = int(found[1]), found[2].decode(), sha256(b"\x00" + found[3]).hexdigest()
        if number > expected == 1:
            raise ValueError(f"the export begins with entry {number}: give the parts before it, too, in their order")
        if number != expected:
            raise Forged(f"entry {number} stands where {expected} has to: entries are MISSING, ADDED or REORDERED")
        if claimed != computed:
            raise Forged(f"entry {number} was ALTERED: it hashes to {computed}, not to {claimed}")
    raise ValueError(f"the lines of entries from {first} on are not as GET /audit/export has them")


def verify_export(paths: list[Path], checkpoints: list[Checkpoint]) -> None:
    """Hash the whole export and hold it to each checkpoint."""
    waiting, size, latest, peaks = sorted(checkpoints), 0, max(checkpoints)[0], list[tuple[int, bytes]]()
    for path in paths:
        with path.open("rb") as file:
            while lines := file.read(BLOCK) + file.readline():
                hashes = hash_lines(lines, size + 1)
                while waiting and waiting[0][0] <= size + len(hashes):
                    covered, root, _, name = waiting.pop(0)
                    grow(peaks, hashes[: covered - size])
                    hashes, size = hashes[covered - size :], covered
                    if (found := root_of(peaks)) != root:
                        raise Forged(f"the first {size:,} entries hash to {found.hex()}, not to the root of {name}")
                    print(f"verified: the first {size:,} entries are those of {name}")
                grow(peaks, hashes)
                size += len(hashes)
    if waiting:
        raise Forged(f"{size:,} entries, of {waiting[0][0]:,} in {waiting[0][3]}: TRUNCATED, or not all is here")
    if size > latest:
        print(f"not proven: entries from {latest + 1:,} on, which are later than every checkpoint")


def verify(command: str, files: list[Path], checkpoints: list[Checkpoint]) -> None:
    """Verify the files in the way that the command names."""
    if len({origin for _, _, origin, _ in checkpoints}) > 1:
        raise ValueError("these checkpoints are of different logs")
    if command == "consistency" and len(checkpoints) != 2:
        raise ValueError("consistency is between two checkpoints: --checkpoint OLD --checkpoint NEW")
    answer, *rest = [{}] if command == "export" else [json.loads(f.read_bytes(), object_pairs_hook=once) for f in files]
    entries = [e for page in ([answer, *rest] if command == "entry" else rest) for e in page.get("data", [page])]
    hashes, start = list(map(hash_of_entry, entries)), answer.get("row_hash" if command == "row" else "leaf_hash", "0")
    leaf, *path = [int(step, 16).to_bytes(32, "big") for step in [start, *answer.get("path", [])]]
    if command == "export":
        verify_export(files, checkpoints)
    elif command == "entry":
        print("recomputed:", len(hashes), "leaf hashes")
    elif command == "consistency":
        check_consistency(*checkpoints[0][:2], *checkpoints[1][:2], path)
    elif command == "row":
        name, batch = answer["entry_id"], {"count": answer["count"], "merkle_root": answer["batch_root"]}
        if climb(answer["index"], answer["count"] - 1, leaf, path)[1].hex() != answer["batch_root"]:
            raise Forged(f"{files[0]} does not lead to its batch_root: the row is NOT in that batch")
        if rest and (name, batch) not in [(entry["id"], entry["changes"].get("batch")) for entry in entries]:
            raise Forged(f"{files[1]} has no entry {name} that commits to {batch}")
        print("verified:" if rest else "not proven:", f"entry {name} commits to {batch}")
    else:
        size, root, _, name = checkpoints[0]
        if rest and (leaf, answer["index"] + 1) not in [(h, entry["sequence"]) for h, entry in zip(hashes, entries)]:
            raise Forged(f"{files[0]} is the proof of another entry than {files[1]}")
        if answer["tree_size"] != size:
            raise ValueError(f"{files[0]} is for a log of {answer['tree_size']:,} entries, {name} has {size:,}")
        if climb(answer["index"], size - 1, leaf, path)[1] != root:
            raise Forged(f"{files[0]} does not lead to the root of {name}: the entry is NOT in that log")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("entry", "row", "proof", "consistency", "export"))
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--checkpoint", action="append", default=[], type=Path)
    parser.add_argument("--key", type=Path)
    given = parser.parse_args()
    if given.command not in ("entry", "row") and not (given.key and given.checkpoint):
        parser.error(f"{given.command} needs --checkpoint and --key")
    try:
        verify(given.command, given.files, [read_checkpoint(path, read_keys(given.key)) for path in given.checkpoint])
    except Forged as error:
        print(f"DOES NOT VERIFY: {error}", file=sys.stderr)
        return 1
    except (OSError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError) as error:
        print(f"cannot be judged: {error!r}", file=sys.stderr)
        return 2
    print("VERIFIED")
    return 0


if __name__ == "__main__":
    sys.exit(main())
