"""Numbering what is pending, as the worker does it."""

from datetime import datetime

from django.db import connection

from apps.audit.services import sequence_entries
from tests import databases


def sequence_as_worker(now: datetime) -> None:
    """Number what is pending, as the sequencer's worker login does, and come back to the web login."""
    name = connection.settings_dict["NAME"]
    databases.log_in("worker", name)
    sequence_entries(now=now)
    databases.log_in("web", name)
