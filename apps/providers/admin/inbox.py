"""Webhooks that providers sent, and what was refused at their door, as staff see them."""

import json
from collections.abc import Sequence
from datetime import datetime

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
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
    chip,
    column,
    link,
    moment,
    number,
    pretty,
    recent_values,
    record_url,
    status_chip,
    two_lines,
)
from apps.core.redaction import redact_text
from apps.providers.enums import HookState
from apps.providers.models import InboundHook, RefusedHook
from apps.providers.services import replay_hook

REPLAYED = Outcome(message("%(count)s webhook is processed again"), message("%(count)s webhooks are processed again"))
_LONGEST_SHOWN = 20_000

_OUTCOMES = {
    "sync_requested": gettext_lazy("a sync was requested"),
    "sync_waiting": gettext_lazy("a sync was waiting already"),
    "nothing_to_do": gettext_lazy("there was nothing to do"),
    "connection_disabled": gettext_lazy("the connection is disabled"),
    "unreadable_event": gettext_lazy("it is no event as the provider documents them"),
    "provider_unavailable": gettext_lazy("the provider's adapter is switched off"),
}
_REASONS = {
    "bad_signature": gettext_lazy(
        "No secret of ours has signed it: it was altered, comes from a stranger, or from a "
        "provider whose secret was replaced and is not ours yet."
    ),
    "stale_signature": gettext_lazy(
        "It was signed too long ago, or in the future: somebody sends what they kept, or a clock is wrong."
    ),
    "malformed_signature": gettext_lazy("Its signature does not have the provider's form."),
    "no_signing_secret": gettext_lazy(
        "This installation knows no signing secret of the provider: nothing is believed "
        "until the setting has one (TELLER_WEBHOOK_SECRETS for Teller)."
    ),
    "wrong_connection": gettext_lazy(
        "The provider has signed it, but it is about another enrolment: it was sent to the "
        "wrong connection's address, or this connection was made without its enrolment's id."
    ),
    "credentials_unreadable": gettext_lazy("The connection's credentials, which hold its secret, cannot be read."),
}


def _replay(hook: InboundHook, actor: Actor, now: datetime, _reason: str) -> Outcome:
    replay_hook(hook_id=hook.pk, actor=actor, now=now)
    return REPLAYED


def _shown(body: bytes) -> str:
    """Return a body as people may see it."""
    try:
        text = pretty(json.loads(body))
    except (ValueError, RecursionError):
        text = redact_text(body.decode(errors="replace"))
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "\n…"


def _words(reason: str) -> str:
    """Return a reason's code as words."""
    return reason.replace("_", " ")


@admin.register(InboundHook)
class InboundHookAdmin(StaffModelAdmin):
    other_names = ("hook",)
    list_is_live = True
    list_display = ("name", "tenant", "of_connection", "status", "result", "received", "times_replayed")
    list_select_related = ("connection",)
    not_in_list = ("body", "headers")
    list_filter = (
        TenantFilter,
        TimeFilter,
        "state",
        recent_values("event_type", gettext_lazy("type")),
        recent_values("outcome", gettext_lazy("outcome")),
    )
    search_fields = ("event_id",)
    search_ids = ("id", "connection_id")
    search_help_text = gettext_lazy("The provider's id of the event, or an id")
    empty_hint = gettext_lazy(
        "A provider sends its webhooks to POST /hooks/<provider>/<connection id>. None has come yet."
    )
    service_actions = (
        ServiceAction(
            name="replay",
            label=gettext_lazy("Process again"),
            icon="replay",
            run=_replay,
            confirm=gettext_lazy("What the webhooks ask for is done once more: at most, their connections sync."),
            available=lambda hook: not hook.connection.is_disabled,
        ),
    )
    facts = ((gettext_lazy("Webhook"), ("event_type", "event_id", "received_at", "processed_at", "replays", "id")),)

    @column(gettext_lazy("webhook"))
    def name(self, hook: InboundHook) -> str:
        return two_lines(self.headline(hook), hook.event_id)

    @column(gettext_lazy("connection"))
    def of_connection(self, hook: InboundHook) -> str:
        return link(record_url("providers.connection", hook.connection_id), str(hook.connection))

    @column(gettext_lazy("state"))
    def status(self, hook: InboundHook) -> str:
        return status_chip(hook, "state", received="info", processed="ok", unreadable="bad")

    @column(gettext_lazy("outcome"))
    def result(self, hook: InboundHook) -> str:
        return str(_OUTCOMES.get(hook.outcome, hook.outcome))

    @column(gettext_lazy("received"))
    def received(self, hook: InboundHook) -> str:
        return moment(hook.received_at)

    @column(gettext_lazy("replayed"))
    def times_replayed(self, hook: InboundHook) -> str:
        return number(hook.replays)

    def headline(self, hook: InboundHook) -> str:
        return hook.event_type or _("(unreadable)")

    def subtitle(self, hook: InboundHook) -> str:
        return f"{hook.connection} · {hook.event_id}"

    def notice(self, hook: InboundHook) -> Notice | None:
        """Say what became of it, where that is not plain."""
        if hook.state == HookState.UNREADABLE:
            return Notice(
                _("The provider has signed it, and we cannot read it"),
                str(_OUTCOMES.get(hook.outcome, hook.outcome)),
                _("Once the adapter understands it, “Process again” does what it asks for."),
                "warn",
            )
        if hook.state == HookState.RECEIVED:
            text = _("It waits for a worker, or for a sync that was under way when it came.")
            return Notice(_("Not processed yet"), text, tone="run")
        return None

    def is_moving(self, hook: InboundHook) -> bool:
        """Keep the page current while its job waits."""
        return hook.state == HookState.RECEIVED

    def stats(self, hook: InboundHook) -> Sequence[Stat]:
        return (
            Stat(_("Received"), moment(hook.received_at)),
            Stat(_("Processed"), moment(hook.processed_at)),
            Stat(_("Outcome"), self.result(hook) or "–"),
            Stat(_("Bytes"), number(len(hook.body))),
        )

    def panels(self, request: HttpRequest, hook: InboundHook) -> Sequence[Panel]:
        return [
            Source(_("What the provider sent (redacted)"), _shown(bytes(hook.body))),
            Source(_("Headers (redacted)"), pretty(hook.headers)),
        ]

    def related_links(self, hook: InboundHook) -> Sequence[tuple[str, str]]:
        return (
            (_("Connection"), record_url("providers.connection", hook.connection_id)),
            (_("Jobs"), about_url("jobs.job", hook)),
            (_("Audit log"), about_url("audit.auditentry", hook, hook.connection_id)),
        )


@admin.register(RefusedHook)
class RefusedHookAdmin(StaffModelAdmin):
    list_display = ("why", "tenant", "of_connection", "times", "last_address", "first_seen", "last_seen")
    list_select_related = ("connection",)
    not_in_list = ("excerpt",)
    list_filter = (TenantFilter, recent_values("reason", gettext_lazy("reason")))
    search_fields = ("reason", "sent_from")
    search_help_text = gettext_lazy("Reason, address, or an id")
    search_ids = ("id", "connection_id")
    empty_hint = gettext_lazy("What comes to a connection's hook and proves nothing is counted here. Nothing has.")
    facts = ((gettext_lazy("Refused"), ("reason", "occurrences", "sent_from", "first_seen_at", "last_seen_at", "id")),)

    @column(gettext_lazy("reason"))
    def why(self, refused: RefusedHook) -> str:
        return _words(refused.reason)

    @column(gettext_lazy("connection"))
    def of_connection(self, refused: RefusedHook) -> str:
        return link(record_url("providers.connection", refused.connection_id), str(refused.connection))

    @column(gettext_lazy("times"))
    def times(self, refused: RefusedHook) -> str:
        return chip(number(refused.occurrences), "warn")

    @column(gettext_lazy("last from"))
    def last_address(self, refused: RefusedHook) -> str:
        return refused.sent_from or "–"

    @column(gettext_lazy("first seen"))
    def first_seen(self, refused: RefusedHook) -> str:
        return moment(refused.first_seen_at)

    @column(gettext_lazy("last seen"))
    def last_seen(self, refused: RefusedHook) -> str:
        return moment(refused.last_seen_at)

    def headline(self, refused: RefusedHook) -> str:
        return f"{refused.connection}: {_words(refused.reason)}"

    def notice(self, refused: RefusedHook) -> Notice | None:
        """Say what the reason means."""
        text = str(_REASONS.get(refused.reason, refused.reason))
        return Notice(_words(refused.reason).capitalize(), text, tone="warn")

    def stats(self, refused: RefusedHook) -> Sequence[Stat]:
        return (
            Stat(_("Times"), number(refused.occurrences)),
            Stat(_("Last from"), refused.sent_from or "–"),
            Stat(_("Last seen"), moment(refused.last_seen_at)),
        )

    def panels(self, request: HttpRequest, refused: RefusedHook) -> Sequence[Panel]:
        return [Source(_("The beginning of the last one (redacted)"), _shown(bytes(refused.excerpt)))]

    def related_links(self, refused: RefusedHook) -> Sequence[tuple[str, str]]:
        return (
            (_("Connection"), record_url("providers.connection", refused.connection_id)),
            (_("All refused"), about_url("providers.refusedhook", refused.connection)),
        )
