"""Forgets sessions that are long over, started by beat."""

from celery import shared_task

from apps.core import clock
from apps.users import services


@shared_task(name="users.forget_sessions", ignore_result=True)
def forget_sessions() -> None:
    """Delete the rows of sessions that ended a month ago, of the API and of the admin."""
    services.forget_sessions(now=clock.now())
