"""Answers under an idempotency key that tell of an order, against the order and its events.

An answer shows the order as the event of its version told it, and neither ever changes: a placed order's answer and its
first event are the same bytes, and whoever asks for a change is shown what the change's event tells.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import msgspec
from django.utils.translation import gettext_lazy as _

from apps.core.db.statements import Statement
from apps.core.scope import snapshot_scope
from apps.core.verification import BATCH_ROWS, Finding, Row, Seen, Subject, Text, read
from apps.orders.models import OrderEvent
from apps.orders.payloads import OrderData

# Whoever places an order is told where it is; whoever changes something, which version of it there is.
_ANSWERS = """
SELECT record.id, record.body, record.headers->>'Location' LIKE '%%/orders/%%' AS is_placed,
       record.headers->>'Location' AS location, EXISTS (
           SELECT FROM orders_order WHERE tenant_id = record.tenant_id
              AND id::text = substring(record.headers->>'Location' FROM '/orders/([0-9a-f-]{36})/?$')) AS exists
  FROM idempotency_record AS record
 WHERE tenant_id = %s AND status BETWEEN 200 AND 299 AND body_expires_at IS NULL
   AND (headers->>'Location' LIKE '%%/orders/%%' OR jsonb_exists(headers, 'ETag'))
   AND id > %s ORDER BY id LIMIT %s
"""
_SHOWN = 100  # characters of a value: what was put there may be of any length
_LAST_VERSION = 2**31 - 1
_NAMES = tuple(OrderData.__annotations__)
_RESTORE = _("The order was deleted past the platform: restore it, and compare the account with its venue.")
_BY_HAND = _("It was changed past the platform: delete the record, so that the client's key can be used again.")

_Events = Mapping[tuple[str, int], dict[str, Any]]


def walk_answers(subject: Subject) -> Iterator[Seen | Finding]:
    """Look for the order of each answer, and for the event that told the same."""
    after, is_more = UUID(int=0), True
    while is_more:
        with snapshot_scope():
            rows = read(Statement(_ANSWERS, [subject.tenant_id, after, BATCH_ROWS]))
            told = [(row, _answer_in(row["body"])) for row in rows]
            told = [(row, answer) for row, answer in told if row["is_placed"] or "client_order_id" in answer]
            events = _events_of(subject.tenant, [answer for _row, answer in told])
        yield Seen(len(told))
        for row, answer in told:
            yield from _judge(row, answer, events)
        is_more = len(rows) == BATCH_ROWS
        after = rows[-1]["id"] if rows else after


def _answer_in(body: bytes | None) -> dict[str, Any]:
    """Return what an answer shows; nothing where it is no JSON object."""
    try:
        answer = msgspec.json.decode(body or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _events_of(tenant_id: UUID, answers: Sequence[Mapping[str, Any]]) -> _Events:
    """Return what the events of the answers' versions told, by order and version; in the open snapshot."""
    places = {place for answer in answers if (place := _place_of(answer))}
    orders, versions = {order_id for order_id, _version in places}, {version for _order_id, version in places}
    events = OrderEvent.objects.filter(tenant_id=tenant_id, order_id__in=orders, sequence__in=versions)
    rows = events.values_list("order_id", "sequence", "data")
    return {(str(order_id), sequence): data for order_id, sequence, data in rows}


def _place_of(answer: Mapping[str, Any]) -> tuple[str, int] | None:
    """Return the order and the version that an answer shows, where these can be any."""
    order_id, version = answer.get("id"), answer.get("version")
    if not isinstance(order_id, str) or type(version) is not int or not 0 < version <= _LAST_VERSION:
        return None
    with suppress(ValueError):
        return str(UUID(order_id)), version
    return None


def _judge(row: Row, answer: Mapping[str, Any], events: _Events) -> Iterator[Finding]:
    def wrong(problem: Text, expected: str, found: str, remedy: Text = _BY_HAND) -> Finding:
        return Finding("idempotency_record", str(row["id"]), problem, expected, found, remedy)

    if row["is_placed"] and not row["exists"]:
        problem = _("A client was told of an order that does not exist.")
        yield wrong(problem, f"an order at {row['location']}", "none", _RESTORE)
        return
    told, place = str(answer.get("id") or "none"), _place_of(answer)
    if row["is_placed"] and told != row["location"].rstrip("/").rpartition("/")[2]:
        problem = _("A client who asks again is told of something else than the order that was placed.")
        yield wrong(problem, f"the order at {row['location']}", told)
        return
    event = events.get(place) if place else None
    if event is None:
        problem = _("A client who asks again is told of an order as it has never been.")
        yield wrong(problem, "an event of its version", f"order {told}, version {answer.get('version')}")
        return
    names = [name for name in _NAMES if name in event and answer.get(name, ...) != event[name]]
    if names:
        problem = _("A client who asks again is told something else of an order than its event.")
        expected, found = ({name: part.get(name) for name in names} for part in (event, answer))
        yield wrong(problem, _shown(expected), _shown(found))


def _shown(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}"[:_SHOWN] for name, value in values.items())
