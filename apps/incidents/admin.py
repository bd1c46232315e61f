"""Incidents, as staff see them and deal with them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.utils.translation import gettext_noop as message

from apps.core.actor import Actor
from apps.core.admin import (
    Notice,
    Outcome,
    Panel,
    ServiceAction,
    Source,
    StaffModelAdmin,
    Stat,
    TenantFilter,
    TimeFilter,
    about_url,
    column,
    moment,
    number,
    pretty,
    recent_values,
    status_chip,
    target_link,
    target_links,
    two_lines,
)
from apps.core.redaction import redact_text
from apps.incidents import services
from apps.incidents.enums import IncidentState
from apps.incidents.models import Incident

# What to do about each kind, for whoever is woken by it.
REMEDIES: Mapping[str, Promise] = {
    "connection.failing": gettext_lazy(
        "Open the connection: its latest run says what the provider answers. The next sync that succeeds resolves this."
    ),
    "job.dead": gettext_lazy(
        "Open the job, remove what its error names, then replay it; or discard it with a reason. Either resolves this."
    ),
    "order.outcome_unknown": gettext_lazy(
        "Ask the venue for the client order id. If it has no such order, or another one, declare it lost on the "
        "order's page: until then the account takes no new risk."
    ),
    "order.another_order": gettext_lazy(
        "Ask the client who placed the one that the venue shows under its id: nothing of it is taken over here. If the "
        "outcome of ours is not known, its page says when to declare it lost."
    ),
    "order.late_fill": gettext_lazy(
        "The execution is stored and in the position. Compare the position with the venue's, then resolve this."
    ),
    "order.fill_refused": gettext_lazy(
        "An execution is not in the position. Compare the order with the venue's record, and stop the account's "
        "trading while the two differ."
    ),
    "order.found_after_lost": gettext_lazy(
        "The venue has the order after all: cancel it there if it must go, and compare the position."
    ),
    "order.vanished": gettext_lazy(
        "Ask the venue for the order's id there. Stop the account's trading if its positions cannot be trusted."
    ),
    "position_drift": gettext_lazy(
        "Stop the account's trading, then compare its fills with the venue's record. This resolves itself once both "
        "agree."
    ),
    "verification.findings": gettext_lazy(
        "Open the verification: each finding says what to do. This resolves itself once a verification finds nothing "
        "here any more."
    ),
    "webhook_endpoint.disabled": gettext_lazy(
        "Tell the client. Once their receiver is back, enable the endpoint on its page and replay what it has missed."
    ),
    "webhook_endpoint.failing": gettext_lazy(
        "Open the endpoint: its page says what the receiver answers. Its owners were told by e-mail; the first "
        "delivery that arrives resolves this. After five days of failure and three notices the endpoint is disabled."
    ),
}
_TONES = {"critical": "bad", "warning": "warn", "info": "info"}
ACKNOWLEDGED = Outcome(message("%(count)s incident acknowledged"), message("%(count)s incidents acknowledged"))
RESOLVED = Outcome(message("%(count)s incident resolved"), message("%(count)s incidents resolved"))


def _acknowledge(incident: Incident, actor: Actor, now: datetime, _reason: str) -> Outcome:
    services.acknowledge_incident(incident_id=incident.pk, actor=actor, now=now)
    return ACKNOWLEDGED


def _resolve(incident: Incident, actor: Actor, now: datetime, reason: str) -> Outcome:
    services.resolve_incident_by_id(incident_id=incident.pk, reason=reason, actor=actor, now=now)
    return RESOLVED


@admin.register(Incident)
class IncidentAdmin(StaffModelAdmin):
    list_is_live = page_is_live = True
    list_display = ("what", "tenant", "urgency", "standing", "about", "count", "first", "last")
    not_in_list = ("detail",)
    list_filter = (TenantFilter, TimeFilter, "state", "severity", recent_values("kind", gettext_lazy("kind")))
    search_fields = ("title", "kind", "key")
    search_help_text = gettext_lazy("Title, kind, key, or an id")
    search_ids = ("id", "target_id")
    empty_hint = gettext_lazy("Nothing has gone wrong for long enough to need a person.")
    facts = (
        (gettext_lazy("Incident"), ("kind", "key", "about", "id")),
        (gettext_lazy("People"), ("opener", "acknowledger", "acknowledged_at", "resolver", "resolved_at")),
    )
    service_actions = (
        ServiceAction(
            name="acknowledge",
            label=gettext_lazy("Acknowledge"),
            icon="visibility",
            run=_acknowledge,
            available=lambda incident: incident.state == IncidentState.OPEN,
        ),
        ServiceAction(
            name="resolve",
            label=gettext_lazy("Resolve"),
            icon="task_alt",
            run=_resolve,
            confirm=gettext_lazy("Say what was done. If the trouble returns, a new incident opens."),
            needs_reason=True,
            available=lambda incident: incident.state != IncidentState.RESOLVED,
        ),
    )

    @column(gettext_lazy("incident"))
    def what(self, incident: Incident) -> str:
        return two_lines(incident.title, incident.kind)

    @column(gettext_lazy("about"))
    def about(self, incident: Incident) -> str:
        return target_link(incident.target_type, incident.target_id)

    @column(gettext_lazy("severity"))
    def urgency(self, incident: Incident) -> str:
        return status_chip(incident, "severity")

    @column(gettext_lazy("state"))
    def standing(self, incident: Incident) -> str:
        return status_chip(incident, "state", open="bad", acknowledged="warn")

    @column(gettext_lazy("first seen"))
    def first(self, incident: Incident) -> str:
        return moment(incident.first_seen_at)

    @column(gettext_lazy("last seen"))
    def last(self, incident: Incident) -> str:
        return moment(incident.last_seen_at)

    @column(gettext_lazy("opened by"))
    def opener(self, incident: Incident) -> str:
        return _label(incident.opened_by)

    @column(gettext_lazy("acknowledged by"))
    def acknowledger(self, incident: Incident) -> str:
        return _label(incident.acknowledged_by)

    @column(gettext_lazy("resolved by"))
    def resolver(self, incident: Incident) -> str:
        return _label(incident.resolved_by)

    def status(self, incident: Incident) -> str:
        return status_chip(incident, "state", open="bad", acknowledged="warn")

    def notice(self, incident: Incident) -> Notice | None:
        """Say what to do about a standing incident."""
        if incident.state == IncidentState.RESOLVED:
            return None
        otherwise = gettext_lazy("Open what it is about, remove the cause, then resolve it with what was done.")
        remedy = str(REMEDIES.get(incident.kind, otherwise))
        if incident.state == IncidentState.ACKNOWLEDGED:
            remedy = _("%(who)s is looking at it.") % {"who": _label(incident.acknowledged_by)} + f" {remedy}"
        tone: Any = _TONES.get(incident.severity, "warn")
        error = incident.detail.get("error") or {}
        seen = ngettext("It stands, seen once", "It stands, seen %(times)s times", incident.count)
        title = seen % {"times": number(incident.count)}
        return Notice(
            title,
            redact_text(": ".join(str(error[part]) for part in ("code", "message") if error.get(part))),
            remedy,
            tone,
        )

    def stats(self, incident: Incident) -> Sequence[Stat]:
        return (
            Stat(_("Severity"), status_chip(incident, "severity")),
            Stat(_("Times seen"), number(incident.count)),
            Stat(_("First seen"), moment(incident.first_seen_at)),
            Stat(_("Last seen"), moment(incident.last_seen_at)),
        )

    def panels(self, request: HttpRequest, incident: Incident) -> Sequence[Panel]:
        return [Source(_("Detail"), pretty(incident.detail))]

    def related_links(self, incident: Incident) -> Sequence[tuple[str, str]]:
        log = (_("Audit log of what it is about"), about_url("audit.auditentry", incident, incident.target_id))
        return [*target_links([(incident.target_type, incident.target_id)]), log]


def _label(actor: dict[str, Any] | None) -> str:
    return str((actor or {}).get("label", ""))
