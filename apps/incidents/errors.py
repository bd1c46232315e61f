"""What the incidents room refuses."""

from django.utils.translation import gettext_lazy as _

from apps.core.errors import DomainError


class IncidentAlreadyResolved(DomainError):
    """The incident is resolved: there is nothing left to acknowledge or resolve."""

    code = "incident_already_resolved"
    title = _("The incident is already resolved")
