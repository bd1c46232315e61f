"""What staff can do about an endpoint."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils.translation import gettext_lazy, ngettext
from django.utils.translation import gettext_noop as message

from apps.core.actor import Actor
from apps.core.admin import Outcome, ServiceAction, number
from apps.webhooks import services
from apps.webhooks.admin.signatures import CHECK_SIGNATURE
from apps.webhooks.enums import EndpointStatus
from apps.webhooks.models import Endpoint
from apps.webhooks.selectors import missed_by

TESTED = Outcome(message("%(count)s test event is on its way"), message("%(count)s test events are on their way"))
ENABLED = Outcome(message("%(count)s endpoint enabled"), message("%(count)s endpoints enabled"))
REPLAYED = Outcome(
    message("%(count)s endpoint enabled; what it has missed since its first failure is on its way"),
    message("%(count)s endpoints enabled; what they have missed since their first failure is on its way"),
)
DISABLED = Outcome(
    message("%(count)s endpoint disabled, what waited for it discarded"),
    message("%(count)s endpoints disabled, what waited for them discarded"),
)
RECOVERED = Outcome(
    message("What %(count)s endpoint missed is sent again"), message("What %(count)s endpoints missed is sent again")
)
NOTHING_LOST = Outcome(
    message("%(count)s endpoint has missed nothing since then"),
    message("%(count)s endpoints have missed nothing since then"),
)


def _test(endpoint: Endpoint, actor: Actor, now: datetime, _reason: str) -> Outcome:
    services.send_test_event(endpoint_id=endpoint.pk, actor=actor, now=now)
    return TESTED


def _enable(endpoint: Endpoint, actor: Actor, now: datetime, reason: str) -> Outcome:
    status = EndpointStatus.ENABLED
    services.update_endpoint(endpoint_id=endpoint.pk, status=status, reason=reason, actor=actor, now=now)
    return ENABLED


def _replay(endpoint: Endpoint, actor: Actor, now: datetime, reason: str) -> Outcome:
    _enabled, recovery = services.enable_endpoint(endpoint_id=endpoint.pk, reason=reason, actor=actor, now=now)
    return REPLAYED if recovery else ENABLED


def _foretell_replay(endpoints: Sequence[Endpoint]) -> Sequence[str]:
    return [_replayed(endpoint, endpoint.failing_since) for endpoint in endpoints if endpoint.failing_since is not None]


def _replayed(endpoint: Endpoint, since: datetime) -> str:
    count = missed_by(endpoint)
    text = ngettext(
        "%(url)s: %(count)s delivery that was lost since %(since)s UTC is sent again.",
        "%(url)s: %(count)s deliveries that were lost since %(since)s UTC are sent again, the oldest first.",
        count,
    )
    return text % {"url": endpoint.url, "count": number(count), "since": f"{since:%Y-%m-%d %H:%M}"}


def _disable(endpoint: Endpoint, actor: Actor, now: datetime, reason: str) -> Outcome:
    status = EndpointStatus.DISABLED
    services.update_endpoint(endpoint_id=endpoint.pk, status=status, reason=reason, actor=actor, now=now)
    return DISABLED


def _recover(endpoint: Endpoint, actor: Actor, now: datetime, hours: str) -> Outcome:
    since = now - timedelta(hours=int(hours))
    recovery = services.recover(endpoint_id=endpoint.pk, since=since, actor=actor, now=now)
    return RECOVERED if recovery.total else NOTHING_LOST


def _is_enabled(endpoint: Endpoint) -> bool:
    return endpoint.status == EndpointStatus.ENABLED


def _may_be_enabled(endpoint: Endpoint) -> bool:
    return endpoint.deleted_at is None and not _is_enabled(endpoint)


def _has_something_to_replay(endpoint: Endpoint) -> bool:
    return _may_be_enabled(endpoint) and endpoint.failing_since is not None


ACTIONS = (
    ServiceAction(
        name="test",
        label=gettext_lazy("Send a test event"),
        icon="send",
        run=_test,
        available=_is_enabled,
    ),
    ServiceAction(
        name="replay",
        label=gettext_lazy("Enable and replay"),
        icon="replay",
        run=_replay,
        confirm=gettext_lazy("It is sent what it has missed since its first failure, and what happens from now on."),
        foretell=_foretell_replay,
        needs_reason=True,
        available=_has_something_to_replay,
    ),
    ServiceAction(
        name="enable",
        label=gettext_lazy("Enable"),
        icon="play_arrow",
        run=_enable,
        confirm=gettext_lazy(
            "It is sent what happens from now on. What it has missed is not sent; it can be recovered afterwards."
        ),
        needs_reason=True,
        available=_may_be_enabled,
    ),
    CHECK_SIGNATURE,
    ServiceAction(
        name="recover",
        label=gettext_lazy("Recover"),
        icon="history",
        run=_recover,
        confirm=gettext_lazy("What failed or was discarded since then is sent again, the oldest first."),
        options=(
            ("1", gettext_lazy("the last hour")),
            ("24", gettext_lazy("the last day")),
            ("72", gettext_lazy("the last three days")),
            ("168", gettext_lazy("the last week")),
            ("720", gettext_lazy("the last 30 days")),
        ),
        options_label=gettext_lazy("Since"),
        available=_is_enabled,
    ),
    ServiceAction(
        name="disable",
        label=gettext_lazy("Disable"),
        icon="pause",
        run=_disable,
        confirm=gettext_lazy(
            "Nothing more is sent to it, and what waits for it is discarded. What happens while it is disabled "
            "is not queued; what was discarded can be recovered once it is enabled again."
        ),
        needs_reason=True,
        danger=True,
        available=_is_enabled,
    ),
)
