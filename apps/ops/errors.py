"""What the ops room refuses."""

from django.utils.translation import gettext_lazy as _

from apps.core.errors import DomainError


class NothingToClear(DomainError):
    """No dead letter is left of those that were meant; somebody else may have been quicker."""

    code = "nothing_to_clear"
    title = _("No dead letter is left of those that were meant")


class ClearingOver(DomainError):
    """The clearing has come to its end, so there is nothing to stop."""

    code = "clearing_over"
    title = _("The clearing is over")
