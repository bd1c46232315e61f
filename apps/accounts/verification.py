"""Proves the accounts: our balance is what our rows add up to."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from apps.accounts.enums import TransactionStatus
from apps.core.db.statements import Statement
from apps.core.money import plain
from apps.core.scope import snapshot_scope
from apps.core.verification import Check, Finding, Seen, Subject, read, register

_ACCOUNTS = "SELECT id FROM accounts_account WHERE tenant_id = %s ORDER BY id"
_TOTALS = """
SELECT account.posted_total, coalesce(sum(row.amount) FILTER (WHERE row.status = %s), 0) AS total,
       count(row.id) AS rows
  FROM accounts_account AS account
  LEFT JOIN accounts_transaction AS row ON row.tenant_id = account.tenant_id AND row.account_id = account.id
 WHERE account.tenant_id = %s AND account.id = %s GROUP BY account.id
"""


def _walk(subject: Subject) -> Iterator[Seen | Finding]:
    with snapshot_scope():
        accounts = [row["id"] for row in read(Statement(_ACCOUNTS, [subject.tenant_id]))]
    for account_id in accounts:
        with snapshot_scope():
            rows = read(Statement(_TOTALS, [TransactionStatus.POSTED, subject.tenant_id, account_id]))
        for row in rows:
            yield Seen(row["rows"])
            if row["posted_total"] != row["total"]:
                expected, found = f"{plain(row['total'])} posted", f"{plain(row['posted_total'])} posted"
                yield Finding(
                    "accounts_account",
                    str(account_id),
                    _("An account's total is not the sum of its posted transactions."),
                    expected,
                    found,
                    _("Rows were changed past the platform. Sync the connection and compare the drift that it shows."),
                )


register(
    Check(
        "accounts.balances",
        _("Balances are the sum of their transactions"),
        _("What our balance of each account adds to its opening is the sum of its posted transactions."),
        _("transactions"),
        _walk,
    )
)
