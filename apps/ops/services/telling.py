"""Calls people: an incident for each check that has findings in a tenant; the log tells the installation's."""

import logging
from collections import defaultdict
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.core.actor import system_actor
from apps.core.db.statements import Statement
from apps.core.errors import ReadOnly
from apps.core.scope import snapshot_scope
from apps.core.verification import Verdict, read
from apps.incidents.enums import Severity
from apps.incidents.services import open_incident, resolve_incident
from apps.ops.enums import RunState
from apps.ops.events import VERIFICATION_FINDINGS
from apps.ops.models import VerificationRun

logger = logging.getLogger(__name__)

_STANDING = """
SELECT tenant_id, key FROM incidents_incident WHERE kind = %s AND state <> 'resolved'
"""
_SHOWN = 5


def tell(run: VerificationRun, *, now: datetime) -> None:
    """Open or refresh the incidents of what was found, and resolve those of what is proved again."""
    if run.state != RunState.PROVED:
        counts = {check["name"]: check["found"] or check["error"] for check in run.checks if _is_bad(check)}
        logger.error("verification.not_proved", extra={"run_id": str(run.id), "state": run.state, "checks": counts})
    troubled: set[tuple[UUID, str]] = set()
    for check in run.checks:
        for tenant_id, findings in _by_tenant(check["findings"]).items():
            troubled.add((tenant_id, check["name"]))
            _open(run, check, tenant_id, findings, now)
    proved = {check["name"] for check in run.checks if not _is_bad(check) or check["verdict"] == Verdict.FINDINGS}
    with snapshot_scope():
        standing = {(row["tenant_id"], row["key"]) for row in read(Statement(_STANDING, [VERIFICATION_FINDINGS]))}
    for tenant_id, name in sorted(standing - troubled):
        if name in proved and not _is_cut(run, name):
            _resolve(tenant_id, name, now)


def _is_bad(check: dict[str, Any]) -> bool:
    return check["verdict"] in (Verdict.FINDINGS, Verdict.BROKEN)


def _is_cut(run: VerificationRun, name: str) -> bool:
    """Tell whether a check has more findings than are kept: a tenant that is not among them proves nothing then."""
    return any(check["name"] == name and check["found"] > len(check["findings"]) for check in run.checks)


def _by_tenant(findings: list[dict[str, Any]]) -> dict[UUID, list[dict[str, Any]]]:
    found: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for finding in findings:
        if finding["tenant_id"]:
            found[UUID(finding["tenant_id"])].append(finding)
    return found


def _open(run: VerificationRun, check: dict[str, Any], tenant_id: UUID, findings: list[Any], now: datetime) -> None:
    try:
        open_incident(
            kind=VERIFICATION_FINDINGS,
            key=check["name"],
            title=_("Not proved: %(what)s") % {"what": check["title"]},
            severity=Severity.CRITICAL,
            target_type="verification_run",
            target_id=run.id,
            detail={"check": check["name"], "findings": findings[:_SHOWN]},
            actor=system_actor("verification", tenant_id=tenant_id),
            now=now,
        )
    except ReadOnly:
        logger.warning("verification.incident_not_opened", extra={"tenant_id": str(tenant_id), "check": check["name"]})


def _resolve(tenant_id: UUID, name: str, now: datetime) -> None:
    actor = system_actor("verification", tenant_id=tenant_id)
    reason = _("The last verification found nothing any more.")
    try:
        resolve_incident(kind=VERIFICATION_FINDINGS, key=name, actor=actor, now=now, reason=reason)
    except ReadOnly:
        logger.warning("verification.incident_not_resolved", extra={"tenant_id": str(tenant_id), "check": name})
