"""What is wrong with an endpoint, for whoever is asked about it: since when, why, what to do, and what was done."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db.models import Count, Max
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.admin import NOTHING, Notice, Panel, Table, chip, exact, moment, number
from apps.core.admin.panels import Tone
from apps.webhooks.enums import EndpointStatus, RecoveryStatus
from apps.webhooks.models import DeliveryAttempt, Endpoint, Recovery
from apps.webhooks.patience import NOTICES_AFTER, earliest_end
from apps.webhooks.selectors import recoveries_of
from apps.webhooks.selectors.records import DAY

_AT_MOST = 5
# What the client has to do about each error of an attempt, and about some statuses.
REMEDIES: Mapping[str, Promise] = {
    "timeout": gettext_lazy("It takes more than 15 seconds: answer 2xx first, then do the work."),
    "redirect_refused": gettext_lazy("It redirects, which is not followed: the endpoint needs the final URL."),
    "tls_failed": gettext_lazy("Its certificate is not valid, or it does not speak TLS: renew it, with its chain."),
    "name_not_resolved": gettext_lazy("Its host has no address: look at its DNS entry."),
    "connection_failed": gettext_lazy("Nobody listens there, or a firewall is in the way."),
    "malformed_answer": gettext_lazy("It does not answer in HTTP: look what listens on that port."),
    "address_refused": gettext_lazy("Its host leads to an address that is not public."),
    "gone": gettext_lazy("It answered 410, which asks us to stop."),
    "secret_unreadable": gettext_lazy("Ours: a sealed value does not open. Look for a field key that is missing."),
    "401": gettext_lazy("It does not accept us: its check of signatures, or the credentials in custom headers."),
    "403": gettext_lazy("It does not accept us: its check of signatures, or the credentials in custom headers."),
    "404": gettext_lazy("There is nothing at this path: the URL has a mistake, or the route was removed."),
    "429": gettext_lazy("It wants fewer requests; its Retry-After is kept."),
}


def notice_of(endpoint: Endpoint) -> Notice | None:
    """Say since when nothing arrives, whom we have told, and when it ends; None for one that is well or just began."""
    if endpoint.status != EndpointStatus.ENABLED or endpoint.failing_since is None or endpoint.noticed_at is None:
        return None
    end = earliest_end(failing_since=endpoint.failing_since, notices=endpoint.notices, noticed_at=endpoint.noticed_at)
    title = _("Nothing has arrived since %(since)s UTC") % {"since": f"{endpoint.failing_since:%Y-%m-%d %H:%M}"}
    text = _("Its owners were told %(count)s of %(all)s times, last on %(last)s UTC.") % {
        "count": endpoint.notices,
        "all": len(NOTICES_AFTER),
        "last": f"{endpoint.noticed_at:%Y-%m-%d %H:%M}",
    }
    remedy = _("See below what it answers. If that goes on, it is disabled, not before %(end)s UTC.")
    return Notice(title, text, remedy % {"end": f"{end:%Y-%m-%d %H:%M}"}, "bad")


def panels_of(endpoint: Endpoint, *, now: datetime) -> Sequence[Panel]:
    """Return what failed in the last day, by reason, and the recoveries; nothing of what there was none of."""
    attempts = DeliveryAttempt.objects.filter(tenant_id=endpoint.tenant_id, endpoint_id=endpoint.pk, at__gte=now - DAY)
    reasons = attempts.exclude(error="").values("error", "status_code")
    found = reasons.annotate(count=Count("id"), last=Max("at")).order_by("-count", "error")[:_AT_MOST]
    rows = [
        [
            chip(str(row["status_code"] or row["error"]), "bad"),
            number(row["count"]),
            moment(row["last"]),
            remedy_of(row["error"], row["status_code"]),
        ]
        for row in found
    ]
    headers = [_("answer"), _("attempts"), _("last"), _("what to do")]
    why = Table(_("Why deliveries fail"), headers, rows, "", numeric=frozenset({1}))
    recoveries = [_recovery(one) for one in recoveries_of(endpoint).order_by("-id")[:_AT_MOST]]
    headers = [_("begun"), _("since"), _("status"), _("queued again"), _("finished")]
    again = Table(_("Recoveries"), headers, recoveries, "", numeric=frozenset({3}))
    return [panel for panel in (why, again) if panel.rows]


def remedy_of(error: str, status: int | None) -> str:
    """Return what is to be done about an answer."""
    known = REMEDIES.get(str(status)) or REMEDIES.get(error)
    return str(known or _("Its server fails: its log says why. Each attempt tells what it answered."))


def _recovery(one: Recovery) -> Sequence[str]:
    tone: Tone = "run" if one.finished_at is None else "ok"
    figure = format_html("{} <small>/ {}</small>", number(one.queued_again), number(one.total))
    return [
        exact(one.begun_at),
        moment(one.since),
        chip(RecoveryStatus(one.status).label, tone),
        figure,
        moment(one.finished_at) if one.finished_at else NOTHING,
    ]
