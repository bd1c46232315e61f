"""What the front page says first while the last verification has not proved the installation.

Findings in a tenant are that tenant's incidents; those of the installation are nobody's, and so they stand here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core.admin import number, record_url
from apps.core.admin.display import moment
from apps.core.admin.panels import Text
from apps.core.scope import is_limited
from apps.core.verification import Verdict
from apps.ops.enums import RunState
from apps.ops.models import VerificationRun
from apps.ops.selectors import last_verification


@dataclass(frozen=True, slots=True)
class Unproved:
    """A verification that did not prove everything: when it ended, what failed and how, and its page."""

    title: Text
    ended: Text
    checks: Sequence[tuple[Text, Text]]
    url: str


def unproved(request: HttpRequest) -> Unproved | None:
    """Return what the last verification has against the installation, for whoever may see verifications."""
    if is_limited() or not request.user.has_perms(["ops.view_verificationrun"]):
        return None
    run = last_verification()
    if run is None or run.state == RunState.PROVED:
        return None
    failed = [check for check in run.checks if check["verdict"] in (Verdict.BROKEN, Verdict.FINDINGS)]
    title = ngettext(
        "Not proved: %(count)s check of the last verification failed",
        "Not proved: %(count)s checks of the last verification failed",
        len(failed),
    ) % {"count": len(failed)}
    checks = [(check["title"], _failure(check)) for check in failed]
    return Unproved(title, moment(run.finished_at), checks, _page(run))


def _failure(check: dict[str, Any]) -> Text:
    if check["verdict"] == Verdict.BROKEN:
        return _("could not run: %(error)s") % {"error": check["error"]}
    count = ngettext("%(count)s finding", "%(count)s findings", check["found"]) % {"count": number(check["found"])}
    tenants = {finding["tenant_id"] for finding in check["findings"]}
    if None in tenants:
        return _("%(findings)s in the installation itself") % {"findings": count}
    where = ngettext("%(count)s tenant", "%(count)s tenants", len(tenants)) % {"count": len(tenants)}
    return _("%(findings)s in %(where)s, with incidents") % {"findings": count, "where": where}


def _page(run: VerificationRun) -> str:
    return record_url("ops.verificationrun", run.pk)
