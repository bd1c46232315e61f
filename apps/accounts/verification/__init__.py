"""Proves the accounts: rows are what the audit log commits to, and balances what rows add up to."""

from django.utils.translation import gettext_lazy as _

from apps.accounts.verification.balances import walk_balances, walk_openings
from apps.accounts.verification.rows import walk_rows
from apps.core.verification import Check, register

register(
    Check(
        "accounts.balances",
        _("Balances are the sum of their transactions"),
        _("What our balance of each account adds to its opening is the sum of its posted transactions."),
        _("transactions"),
        walk_balances,
    ),
    Check(
        "accounts.openings",
        _("Opening balances are those that were fixed"),
        _("Each account's opening is the one that stands in the audit log, where its first reading has put it."),
        _("accounts"),
        walk_openings,
    ),
    Check(
        "accounts.rows",
        _("Accounts, transactions and holdings are those of the audit log"),
        _(
            "Each row hashes to what the last audit entry about it commits to; none is there that no entry tells of, "
            "and none is gone that was not removed."
        ),
        _("rows"),
        walk_rows,
    ),
)
