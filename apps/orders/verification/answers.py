"""Answers under an idempotency key that name an order, against the orders."""

from collections.abc import Iterator

import msgspec
from django.utils.translation import gettext_lazy as _

from apps.core.verification import Finding, Row, Seen, Subject, look_in_batches

# Whoever places or replaces an order is told where it is.
_ANSWERS = """
SELECT record.id, record.body, record.headers->>'Location' AS location, EXISTS (
           SELECT FROM orders_order WHERE tenant_id = record.tenant_id
              AND id::text = substring(record.headers->>'Location' FROM '/orders/([0-9a-f-]{36})/?$')) AS exists
  FROM idempotency_record AS record
 WHERE tenant_id = %s AND status BETWEEN 200 AND 299 AND headers->>'Location' LIKE '%%/orders/%%'
   AND id > %s ORDER BY id LIMIT %s
"""


def walk_answers(subject: Subject) -> Iterator[Seen | Finding]:
    """Look for the order of each answer."""
    return look_in_batches(_ANSWERS, [subject.tenant_id], _judge)


def _judge(row: Row) -> Iterator[Finding]:
    if not row["exists"]:
        yield Finding(
            "idempotency_record",
            str(row["id"]),
            _("A client was told of an order that does not exist."),
            f"an order at {row['location']}",
            "none",
            _("The order was deleted past the platform: restore it, and compare the account with its venue."),
        )
    elif (told := _order_told(row["body"])) != row["location"].rstrip("/").rpartition("/")[2]:
        yield Finding(
            "idempotency_record",
            str(row["id"]),
            _("A client who asks again is told of something else than the order that was placed."),
            f"the order at {row['location']}",
            told,
            _("It was changed past the platform: delete the record, so that the client's key can be used again."),
        )


def _order_told(body: bytes | None) -> str:
    """Return the id of the order that an answer shows; a word for none."""
    try:
        answer = msgspec.json.decode(body or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "none"
    return str(answer.get("id") or "none") if isinstance(answer, dict) else "none"
