"""Totals against transactions, and openings against the entries that fixed them."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from apps.accounts.enums import TransactionStatus
from apps.accounts.events import ACCOUNTS_SYNCED
from apps.core.db.statements import Statement
from apps.core.money import plain
from apps.core.redaction import MASK
from apps.core.scope import snapshot_scope
from apps.core.verification import Finding, Row, Seen, Subject, look, read

_ACCOUNTS = "SELECT id FROM accounts_account WHERE tenant_id = %s ORDER BY id"
_TOTALS = """
SELECT account.posted_total, coalesce(sum(row.amount) FILTER (WHERE row.status = %s), 0) AS total,
       count(row.id) AS rows
  FROM accounts_account AS account
  LEFT JOIN accounts_transaction AS row ON row.tenant_id = account.tenant_id AND row.account_id = account.id
 WHERE account.tenant_id = %s AND account.id = %s GROUP BY account.id
"""
# An amount that looks like a card's number was masked on its way into the log, and says nothing.
_OPENINGS = """
SELECT account.id, account.opening_balance, fixed.opening, fixed.entry_id
  FROM accounts_account AS account
  LEFT JOIN (SELECT entry.id AS entry_id, told.key AS account_id, told.value AS opening
               FROM audit_entry AS entry, jsonb_each_text(entry.changes->'openings'->1) AS told
              WHERE entry.tenant_id = %s AND entry.action = %s AND jsonb_exists(entry.changes, 'openings')) AS fixed
    ON fixed.account_id = account.id::text
 WHERE account.tenant_id = %s AND fixed.opening IS DISTINCT FROM %s
 ORDER BY account.id
"""
_SYNC = _("Rows were changed past the platform. Sync the connection and compare the drift that it shows.")
_RESTORE = _("It was changed past the platform. Put back what the audit entry says, with the drift as it was before.")


def walk_balances(subject: Subject) -> Iterator[Seen | Finding]:
    """Add up each account's rows; one and its rows are of one snapshot."""
    with snapshot_scope():
        accounts = [row["id"] for row in read(Statement(_ACCOUNTS, [subject.tenant_id]))]
    for account_id in accounts:
        with snapshot_scope():
            rows = read(Statement(_TOTALS, [TransactionStatus.POSTED, subject.tenant_id, account_id]))
        for row in rows:
            yield Seen(row["rows"])
            if row["posted_total"] != row["total"]:
                problem = _("An account's total is not the sum of its posted transactions.")
                expected, found = f"{plain(row['total'])} posted", f"{plain(row['posted_total'])} posted"
                yield Finding("accounts_account", str(account_id), problem, expected, found, _SYNC)


def walk_openings(subject: Subject) -> Iterator[Seen | Finding]:
    """Compare each account's opening with what the entry says that fixed it."""
    statement = Statement(_OPENINGS, [subject.tenant_id, ACCOUNTS_SYNCED, subject.tenant_id, MASK])
    return look(statement, _judge_opening)


def _judge_opening(row: Row) -> Iterator[Finding]:
    opening = None if row["opening_balance"] is None else plain(row["opening_balance"])
    if opening != row["opening"]:
        problem = _("An account's opening balance is not the one that was fixed when it was first read.")
        expected = f"opening {row['opening']}, as entry {row['entry_id']} says" if row["entry_id"] else "no opening"
        yield Finding("accounts_account", str(row["id"]), problem, expected, f"opening {opening or 'gone'}", _RESTORE)
