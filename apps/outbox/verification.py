"""Proves the outbox: nothing that clients were told, or are to be told, is missing."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from apps.core.sequence_check import walk_sequences
from apps.core.verification import Check, Finding, Seen, Subject, look_in_batches, register
from apps.outbox.services import OUTBOX

_RELAYED = """
SELECT id, sequence, relayed_at FROM outbox_event
 WHERE tenant_id = %s AND (sequence IS NULL) <> (relayed_at IS NULL) AND id > %s ORDER BY id LIMIT %s
"""


def _walk(subject: Subject) -> Iterator[Seen | Finding]:
    yield from walk_sequences(OUTBOX, subject)
    for brought in look_in_batches(_RELAYED, [subject.tenant_id], lambda row: [_half_relayed(row)]):
        if isinstance(brought, Finding):
            yield brought


def _half_relayed(row: dict[str, object]) -> Finding:
    return Finding(
        "outbox_event",
        str(row["id"]),
        _("An event has a sequence or a time of relay, and not the other."),
        "both or neither",
        f"sequence {row['sequence']}, relayed at {row['relayed_at']}",
        _("It was changed past the platform: compare it with a backup."),
    )


register(
    Check(
        "outbox.sequence",
        _("Events are complete"),
        _("Each tenant's events have gapless sequences that end where the counter says."),
        _("events"),
        _walk,
    )
)
