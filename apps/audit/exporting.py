"""How entries leave the platform: as lines that prove themselves, and as a table for people.

A line of the export is `{"sequence":…,"leaf_hash":"…","leaf":⇥…⇥,"opened":{"actor":⇥…⇥,"changes":⇥…⇥}}`: JSON, with
tabs where JSON allows blanks. Canonical JSON has no tab inside, so what stands between the first two tabs is, byte for
byte, what the leaf's hash is over: a verifier cuts it out and hashes it, and parses nothing. What was opened, `null` or
`{"salt":"…","members":{…}}`, is hashed likewise. See docs/adr/0018-the-audit-export.md.
"""

import csv
from collections.abc import Iterable, Iterator
from io import StringIO

import msgspec

from apps.audit.leaf import leaf_content
from apps.audit.opening import OpenedEntry
from apps.core.canonical import canonical_plain, jsonable

COLUMNS = (
    "sequence",
    "at",
    "action",
    "actor_kind",
    "actor_label",
    "actor_id",
    "target_type",
    "target_id",
    "changes",
    "request_id",
    "ip",
    "id",
    "leaf_hash",
)
# Spreadsheets compute what begins with these: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_encoder = msgspec.json.Encoder(order="sorted")


def as_line(opened: OpenedEntry) -> bytes:
    """Return a numbered entry's line, with its line feed."""
    entry = opened.entry
    head = b'{"sequence":%d,"leaf_hash":"%s","leaf":\t' % (entry.sequence or 0, bytes(entry.leaf_hash).hex().encode())
    leaf, actor, changes = canonical_plain(leaf_content(entry)), _part(opened, "actor"), _part(opened, "changes")
    return b'%s%s\t,"opened":{"actor":\t%s\t,"changes":\t%s\t}}\n' % (head, leaf, actor, changes)


def _part(opened: OpenedEntry, name: str) -> bytes:
    if name not in opened.salts:
        return b"null"
    members = canonical_plain(opened.members(name))
    return b'{"salt":"%s","members":%s}' % (opened.salts[name].encode(), members)


def as_lines(entries: Iterable[OpenedEntry]) -> Iterator[bytes]:
    """Return the lines of numbered entries."""
    return map(as_line, entries)


def as_table(entries: Iterable[OpenedEntry]) -> Iterator[bytes]:
    """Return the rows of a CSV table (RFC 4180, UTF-8), the first of which names the columns."""
    buffer = StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for opened in entries:
        writer.writerow([_cell(value) for value in _values(opened)])
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue().encode()


def _values(opened: OpenedEntry) -> Iterator[object]:
    entry, actor = opened.entry, opened.actor
    yield entry.sequence
    yield jsonable(entry.at)
    yield entry.action
    yield actor.get("kind", "")
    yield opened.label
    yield entry.actor_id or ""
    yield entry.target_type
    yield entry.target_id
    yield _encoder.encode(opened.changes).decode()
    yield entry.request_id
    yield actor.get("ip", "")
    yield entry.id
    yield bytes(entry.leaf_hash).hex()


def _cell(value: object) -> str:
    """Return the value as text that no spreadsheet takes for a formula: an apostrophe before what looks like one."""
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
