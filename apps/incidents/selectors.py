"""How many incidents need a person, across tenants: read in a staff scope."""

from apps.core.db.counting import count_bounded
from apps.incidents.enums import STANDING_STATES
from apps.incidents.models import Incident


def standing_count() -> int:
    """Return how many incidents stand, up to AT_MOST + 1."""
    return count_bounded(Incident.objects.filter(state__in=STANDING_STATES))
