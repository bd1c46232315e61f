"""How the admin looks and what its sidebar holds: the UNFOLD setting."""

from collections.abc import Callable
from functools import cache
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


def _asset(name: str) -> Callable[[HttpRequest], str]:
    return lambda _request: static(f"backoffice/{name}")


def _may_see(label: str) -> Callable[[HttpRequest], bool]:
    app, model = label.split(".")
    return lambda request: any(request.user.has_perm(f"{app}.{verb}_{model}") for verb in ("view", "change"))


def _item(title: Any, icon: str, label: str, route: str = "changelist", **more: Any) -> dict[str, Any]:
    return {
        **more,
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{label.replace('.', '_')}_{route}"),
        "permission": _may_see(label),
    }


def _shows_endpoints(request: HttpRequest) -> bool:
    """Tell endpoints from the page of event types, whose address is below theirs."""
    match = request.resolver_match
    return (
        match is not None
        and match.view_name.startswith("admin:webhooks_endpoint_")
        and not match.view_name.endswith("_event_types")
    )


def _group(title: Any, *items: dict[str, Any], collapsible: bool = False) -> dict[str, Any]:
    return {"title": title, "items": list(items), "collapsible": collapsible}


NAVIGATION = [
    {
        "items": [
            {"title": _("Overview"), "icon": "space_dashboard", "link": reverse_lazy("admin:index")},
        ]
    },
    _group(
        _("Trading"),
        _item(_("Blotter"), "candlestick_chart", "orders.order"),
        _item(_("Positions"), "pie_chart", "orders.position"),
        _item(_("Fills"), "done_all", "orders.fill"),
        _item(_("Trading accounts"), "monitoring", "orders.riskaccount"),
        _item(_("Risk decisions"), "shield", "orders.riskdecision"),
    ),
    _group(
        _("Webhooks"),
        _item(_("Deliveries"), "webhook", "webhooks.delivery"),
        _item(_("Endpoints"), "dns", "webhooks.endpoint", active=_shows_endpoints),
        _item(_("Event types"), "data_object", "webhooks.endpoint", route="event_types"),
    ),
    _group(
        _("Money"),
        _item(_("Accounts"), "account_balance_wallet", "accounts.account"),
        _item(_("Transactions"), "receipt_long", "accounts.transaction"),
    ),
    _group(
        _("Connections"),
        _item(_("Connections"), "cable", "providers.connection"),
        _item(_("Sync runs"), "sync", "providers.syncrun"),
        _item(_("Quarantine"), "report", "providers.quarantinedrow"),
        _item(_("Inbox"), "move_to_inbox", "providers.inboundhook"),
        _item(_("Refused webhooks"), "block", "providers.refusedhook"),
    ),
    _group(
        _("Operations"),
        _item(_("Incidents"), "warning", "incidents.incident", badge="apps.backoffice.badges.incidents"),
        _item(_("Jobs"), "bolt", "jobs.job", badge="apps.backoffice.badges.dead_letters"),
        _item(_("Queues"), "linear_scale", "jobs.queue"),
        _item(_("Clearings"), "delete_sweep", "ops.clearing"),
        _item(_("Events"), "outbox", "outbox.outboxevent"),
        _item(_("Schedule"), "schedule", "django_celery_beat.periodictask"),
    ),
    _group(
        _("Trust"),
        _item(_("Audit log"), "verified_user", "audit.auditentry"),
        {
            "title": _("Requests"),
            "icon": "route",
            "link": reverse_lazy("admin:request_trace"),
            "permission": _may_see("audit.auditentry"),
        },
        _item(_("Checkpoints"), "approval", "audit.auditcheckpoint"),
        _item(_("People in the log"), "person_off", "audit.auditsubjectkey"),
        _item(_("Verifications"), "fact_check", "ops.verificationrun"),
        _item(_("API keys"), "key", "tenants.apikey"),
        _item(_("Impersonations"), "visibility", "tenants.impersonation"),
        _item(_("Read-only"), "lock", "core.readonlyswitch"),
    ),
    _group(
        _("Market"),
        _item(_("Instruments"), "category", "market.instrument"),
        _item(_("Listings"), "list_alt", "market.listing"),
        _item(_("Quotes"), "query_stats", "market.quote"),
        _item(_("Venue clocks"), "alarm", "market.venueclock"),
        _item(_("Imports"), "download", "market.listingimport"),
        collapsible=True,
    ),
    _group(
        _("Identity"),
        _item(_("Tenants"), "apartment", "tenants.tenant"),
        _item(_("Members"), "groups", "tenants.membership"),
        _item(_("Roles"), "policy", "tenants.tenantrole"),
        _item(_("Object grants"), "key", "accounts.objectgrant"),
        _item(_("Invitations"), "mail", "tenants.invitation"),
        _item(_("Users"), "person", "users.user"),
        _item(_("Sessions"), "devices", "users.session"),
        _item(_("Staff sessions"), "computer", "users.staffsession"),
        _item(_("Authenticators"), "phonelink_lock", "users.authenticator"),
        _item(_("Failed sign-ins"), "lock_clock", "axes.accessattempt"),
        collapsible=True,
    ),
]


@cache
def _navigation() -> list[dict[str, Any]]:
    """Return the sidebar with its addresses written out: Unfold reads each several times a page."""
    return [
        {**group, "items": [{**item, "link": str(item["link"])} for item in group["items"]]} for group in NAVIGATION
    ]


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "finops",
    "SITE_HEADER": "finops",
    "SITE_SUBHEADER": _("Back office"),
    "SITE_URL": None,
    "SITE_ICON": _asset("mark.svg"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _asset("mark.svg")}],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "7px",
    "STYLES": [_asset("frame.css"), _asset("admin.css"), _asset("impersonation.css")],
    "SCRIPTS": [_asset("admin.js")],
    "ACCOUNT": {
        "navigation": [
            {"title": _("My second factors"), "link": reverse_lazy("admin:own_factors")},
            {"title": _("Change password"), "link": reverse_lazy("admin:password_change")},
        ]
    },
    "SIDEBAR": {"navigation": lambda _request: _navigation()},
    "COLORS": {
        # Ink: a cool grey that leans to the brand's petrol.
        "base": {
            "50": "oklch(98.3% .004 222)",
            "100": "oklch(96.3% .006 222)",
            "200": "oklch(92.2% .009 222)",
            "300": "oklch(86.4% .013 222)",
            "400": "oklch(70.5% .022 224)",
            "500": "oklch(55.4% .028 226)",
            "600": "oklch(45.0% .030 228)",
            "700": "oklch(36.6% .031 230)",
            "800": "oklch(26.8% .029 232)",
            "900": "oklch(20.6% .026 234)",
            "950": "oklch(15.4% .022 236)",
        },
        "primary": {
            "50": "oklch(97.6% .017 205)",
            "100": "oklch(94.4% .036 205)",
            "200": "oklch(88.9% .066 206)",
            "300": "oklch(81.0% .096 208)",
            "400": "oklch(71.6% .112 212)",
            "500": "oklch(61.8% .110 217)",
            "600": "oklch(52.2% .098 221)",
            "700": "oklch(44.6% .083 224)",
            "800": "oklch(38.0% .069 227)",
            "900": "oklch(32.4% .057 230)",
            "950": "oklch(24.0% .044 233)",
        },
    },
}
