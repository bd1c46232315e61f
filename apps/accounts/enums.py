"""Kinds and states of accounts and transactions; the values are the API's."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class AccountKind(TextChoices):
    """What an account is, across providers."""

    DEPOSITORY = "depository", _("Depository")
    CREDIT = "credit", _("Credit")
    LOAN = "loan", _("Loan")
    INVESTMENT = "investment", _("Investment")
    BROKERAGE = "brokerage", _("Brokerage")


class AccountMode(TextChoices):
    """Whether an account is real. In a paper one nothing is: no money, no orders."""

    LIVE = "live", _("Live")
    PAPER = "paper", _("Paper")


class AccountStatus(TextChoices):
    """Whether an account can be read at its provider.

    Closed: the provider says so, or the connection that it was read through was deleted. Needs attention: it
    disappeared from what the connection may see.
    """

    OPEN = "open", _("Open")
    CLOSED = "closed", _("Closed")
    NEEDS_ATTENTION = "needs_attention", _("Needs attention")


class TransactionStatus(TextChoices):
    """Removed: the provider no longer shows it; the row stays as history and counts for nothing."""

    PENDING = "pending", _("Pending")
    POSTED = "posted", _("Posted")
    REMOVED = "removed", _("Removed")
