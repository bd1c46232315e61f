"""What callers hand to the audit log, and what it hands to those who verify it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NotRequired, TypedDict
from uuid import UUID

from apps.audit.notes import VerifierKey
from apps.core.actor import Actor


@dataclass(frozen=True, slots=True)
class Personal:
    """What `changes` say of a person, such as a name or an address: sealed, so that it can be erased.

    `subject` is the id of whose they are: a user's, an API key's. `changes` is {"field": [before, after]}, none of
    which stands in the open `changes` as well.
    """

    subject: UUID
    changes: Mapping[str, Any]


class Leaf(TypedDict):
    """What a leaf says, as callers give it to `record`.

    `changes` is {"field": [before, after]}; secrets in it are masked. What it would say of a person goes into
    `personal` instead and is sealed, as the actor's name and address always are.
    """

    action: str
    actor: Actor
    target_type: str
    target_id: UUID | str
    now: datetime
    changes: NotRequired[Mapping[str, Any] | None]
    personal: NotRequired[Personal | None]


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That the leaf at `index` is in the tree of `tree_size` leaves with this root; hashes of RFC 9162."""

    entry_id: UUID
    index: int
    tree_size: int
    leaf_hash: bytes
    path: list[bytes]
    root_hash: bytes


@dataclass(frozen=True, slots=True)
class RowProof:
    """That the row at `index` is one of the `count` rows that an entry's batch has under this root."""

    entry_id: UUID
    row_id: UUID
    index: int
    count: int
    row_hash: bytes
    path: list[bytes]
    batch_root: bytes


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """That the tree of `newer` leaves begins with that of `older` leaves."""

    older: int
    newer: int
    path: list[bytes]
    older_root: bytes
    newer_root: bytes


@dataclass(frozen=True, slots=True)
class Trees:
    """The trees of all logs together, and how long the one that waits longest has had no checkpoint."""

    entries: int
    largest: int
    uncovered: int
    lag_seconds: float


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that has signed checkpoints. From `until` on, a newer one has signed all of them, too."""

    key_id: str
    verifier: VerifierKey
    since: datetime
    until: datetime | None
