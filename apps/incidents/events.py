"""What the incidents room tells the world. The names are those of the audit leaves, too."""

from typing import Annotated, TypedDict
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.incidents.enums import IncidentState, Severity
from apps.incidents.models import Incident
from apps.outbox.catalogue import define
from apps.outbox.payloads import says
from apps.outbox.types import NewEvent


class IncidentData(TypedDict):
    """An incident, without the detail that staff alone read."""

    state: Annotated[str, says("Where it stands.", one_of=IncidentState.values)]
    kind: Annotated[str, says("What kind it is of.", "connection.sync_failed")]
    severity: Annotated[str, says("How urgently people should look.", "warning", one_of=Severity.values)]
    title: Annotated[str, says("What is wrong, in a sentence.", "A connection has stopped working")]
    target_type: Annotated[str, says("What kind of thing it is about.", "connection")]
    target_id: Annotated[UUID, says("The thing that it is about.")]


OPENED = define("incident.opened", IncidentData, _("Something needs a person's eyes."))
ACKNOWLEDGED = define("incident.acknowledged", IncidentData, _("A person is looking at an incident."))
RESOLVED = define("incident.resolved", IncidentData, _("An incident is over."))


def incident_changed(what: str, incident: Incident) -> NewEvent:
    """Return the event `what` of an incident; `detail` stays with the row, which staff alone read."""
    data: IncidentData = {
        "state": incident.state,
        "kind": incident.kind,
        "severity": incident.severity,
        "title": incident.title,
        "target_type": incident.target_type,
        "target_id": incident.target_id,
    }
    return NewEvent(type=what, entity_type="incident", entity_id=incident.id, data=data)
