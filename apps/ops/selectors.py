"""Reading verifications, in a staff scope that reaches the whole installation."""

from apps.ops.enums import OPEN_STATES, RunState
from apps.ops.models import VerificationRun


def last_verification() -> VerificationRun | None:
    """Return the last verification that is over."""
    return VerificationRun.objects.exclude(state__in=OPEN_STATES).order_by("-id").first()


def last_proof() -> VerificationRun | None:
    """Return the last verification that looked at everything and found nothing."""
    return VerificationRun.objects.filter(state=RunState.PROVED).order_by("-id").first()
