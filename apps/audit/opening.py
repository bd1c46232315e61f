"""Opening what entries say of people, many at once: for the API, the admin and exports."""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db.models import Case, OuterRef, Subquery, When

from apps.audit.models import AuditEntry, AuditSubjectKey
from apps.audit.sealing import Unreadable, reveal
from apps.audit.subject_keys import open_key
from apps.core import crypto

logger = logging.getLogger(__name__)

ERASED = "[erased]"
UNREADABLE = "[unreadable]"
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class OpenedEntry:
    """An entry with what it says of people in its place again.

    Of an erased person `actor` keeps the ids, and `changes` names what is "[erased]". `salts` holds, in lower-case hex,
    the salt of each part that could be opened: the digest in `entry.personal` is SHA-256 of it and the RFC 8785 bytes
    of the part's members as they stand here.
    """

    entry: AuditEntry
    actor: dict[str, Any]
    changes: dict[str, Any]
    salts: dict[str, str]

    def members(self, part: str) -> dict[str, Any]:
        """Return what was sealed of a part that could be opened: what its digest is over, behind its salt."""
        shown = self.actor if part == "actor" else self.changes
        return {name: shown[name] for name in self.entry.personal[part]["members"]}

    @property
    def label(self) -> str:
        """The actor's name, frozen at the time."""
        return str(self.actor.get("label", ERASED))


def open_entries(entries: Iterable[AuditEntry]) -> list[OpenedEntry]:
    """Return the entries opened, in their order; one query in the scope that they were read in, for all of them."""
    entries = list(entries)
    wanted = {UUID(part["key"]) for entry in entries for part in entry.personal.values()}
    ciphers = _ciphers(wanted) if wanted else {}
    return [_open(entry, ciphers) for entry in entries]


def open_many(entries: Iterable[AuditEntry]) -> Iterator[OpenedEntry]:
    """Yield entries opened, a thousand at a time; while the scope that they are read in is open."""
    remaining = iter(entries)
    while batch := list(islice(remaining, _AT_ONCE)):
        yield from open_entries(batch)


def latest_acts(keys: Collection[AuditSubjectKey]) -> dict[UUID, OpenedEntry]:
    """Return what each person did last in the log of their key, by the key's id; without who never did anything.

    Three queries, however many they are.
    """
    acted = AuditEntry.objects.filter(actor_id=OuterRef("subject")).order_by("-at", "-id").values("id")
    of_tenant, of_installation = acted.filter(tenant_id=OuterRef("tenant_id")), acted.filter(tenant_id=None)
    newest = Case(When(tenant_id=None, then=Subquery(of_installation[:1])), default=Subquery(of_tenant[:1]))
    chosen = AuditSubjectKey.objects.filter(id__in=[key.id for key in keys]).annotate(entry=newest)
    entry_of = dict(chosen.exclude(entry=None).values_list("id", "entry"))
    opened = {each.entry.id: each for each in open_entries(AuditEntry.objects.filter(id__in=entry_of.values()))}
    return {key_id: opened[entry_id] for key_id, entry_id in entry_of.items()}


def _ciphers(wanted: set[UUID]) -> dict[str, AESGCM | None]:
    """Return each key that is there; None is one that cannot be opened here. What is missing was destroyed."""
    rows = AuditSubjectKey.objects.filter(id__in=wanted, erased_at=None).values_list("id", "sealed_key")
    return {str(key_id): _cipher(key_id, bytes(sealed_key or b"")) for key_id, sealed_key in rows}


def _cipher(key_id: UUID, sealed_key: bytes) -> AESGCM | None:
    try:
        return open_key(sealed_key, key_id=key_id)
    except crypto.DecryptionFailed:
        logger.exception("audit.subject_key_unreadable", extra={"key": str(key_id)})
        return None


def _open(entry: AuditEntry, ciphers: Mapping[str, AESGCM | None]) -> OpenedEntry:
    opened = OpenedEntry(entry, dict(entry.actor), dict(entry.changes), {})
    for name, sealed in entry.personal.items():
        part = opened.actor if name == "actor" else opened.changes
        cipher = ciphers.get(sealed["key"])
        if cipher is not None:
            _reveal_into(opened, part, name, sealed, cipher)
        elif sealed["key"] in ciphers:
            part.update(dict.fromkeys(sealed["members"], UNREADABLE))
        elif name == "changes":
            part.update(dict.fromkeys(sealed["members"], ERASED))
    return opened


def _reveal_into(
    opened: OpenedEntry, part: dict[str, Any], name: str, sealed: Mapping[str, Any], cipher: AESGCM
) -> None:
    try:
        revealed = reveal(sealed, cipher=cipher, entry_id=opened.entry.id, part=name)
    except Unreadable:
        # Its leaf hash tells as well that somebody was at it.
        logger.exception("audit.part_unreadable", extra={"entry": str(opened.entry.id), "part": name})
        part.update(dict.fromkeys(sealed["members"], UNREADABLE))
        return
    part.update(revealed.members)
    opened.salts[name] = revealed.salt.hex()
