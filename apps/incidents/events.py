"""What the incidents room tells the world. The names are those of the audit leaves, too."""

from apps.incidents.models import Incident
from apps.outbox.types import NewEvent

OPENED = "incident.opened"
ACKNOWLEDGED = "incident.acknowledged"
RESOLVED = "incident.resolved"


def incident_changed(what: str, incident: Incident) -> NewEvent:
    """Return the event `what` of an incident; `detail` stays with the row, which staff alone read."""
    data = {
        "state": incident.state,
        "kind": incident.kind,
        "severity": incident.severity,
        "title": incident.title,
        "target_type": incident.target_type,
        "target_id": str(incident.target_id),
    }
    return NewEvent(type=what, entity_type="incident", entity_id=incident.id, data=data)
