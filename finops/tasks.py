"""What beat runs for the installation as a whole."""

from celery import shared_task

from apps.core import clock
from finops import seals
from finops.witness.stores import open_stores
from finops.witness.witnessing import send_checkpoints


@shared_task(name="finops.renew_seals", ignore_result=True)
def renew_seals() -> None:
    """Put everything that is sealed under the current key."""
    for _progress in seals.renew_all():
        pass


@shared_task(name="finops.send_checkpoints", ignore_result=True)
def send_audit_checkpoints() -> None:
    """Have the witnesses keep the audit logs' latest checkpoints, and hold the logs to what they hold."""
    send_checkpoints(open_stores(), now=clock.now())
