"""What is not tenant-scoped, and why. Tests compare these lists with the database."""

from dataclasses import dataclass

_ALL = "SELECT, INSERT, UPDATE, DELETE"


@dataclass(frozen=True, slots=True)
class GlobalTable:
    """A table without tenant rows: why it is global, and the privileges of each role on it.

    `login` are the login roles outside of any scope (finops_web and finops_worker), `staff` the admin,
    `app` and `system` the scoped runtime roles. `impersonator` lets staff who look as a member read it.
    """

    reason: str
    login: str = ""
    staff: str = ""
    app: str = ""
    system: str = ""
    impersonator: bool = False


_IDENTITY = GlobalTable("identity exists before a tenant is known", login=_ALL, staff=_ALL)
_PERMISSIONS = GlobalTable("Django's permission tables name models, not tenants", login="SELECT", staff=_ALL)
_SCHEDULE = GlobalTable("beat's schedule belongs to the installation", login=_ALL, staff=_ALL)

# Written by whichever process has just asked the venue, outside of any tenant's scope.
_MARKET = GlobalTable(
    "market data are the same for every tenant",
    login="SELECT, INSERT, UPDATE",
    staff="SELECT",
    app="SELECT",
    system="SELECT",
    impersonator=True,
)

GLOBAL_TABLES: dict[str, GlobalTable] = {
    "axes_accessattempt": _IDENTITY,
    "axes_accessattemptexpiration": _IDENTITY,
    "axes_accessfailurelog": _IDENTITY,
    "axes_accesslog": _IDENTITY,
    "auth_group": _PERMISSIONS,
    "auth_group_permissions": _PERMISSIONS,
    "auth_permission": _PERMISSIONS,
    "core_readonlyswitch": GlobalTable(
        "read on every write, together with the scope",
        login="SELECT",
        staff=_ALL,
        app="SELECT",
        system="SELECT",
    ),
    "django_admin_log": GlobalTable("Django admin's own history of staff clicks", login="SELECT", staff=_ALL),
    "django_celery_beat_clockedschedule": _SCHEDULE,
    "django_celery_beat_crontabschedule": _SCHEDULE,
    "django_celery_beat_intervalschedule": _SCHEDULE,
    "django_celery_beat_periodictask": _SCHEDULE,
    "django_celery_beat_periodictasks": _SCHEDULE,
    "django_celery_beat_solarschedule": _SCHEDULE,
    "django_content_type": _PERMISSIONS,
    "django_migrations": GlobalTable("the schema's own history", login="SELECT", staff="SELECT"),
    "django_session": _IDENTITY,
    "guardian_groupobjectpermission": _PERMISSIONS,
    "guardian_userobjectpermission": _PERMISSIONS,
    "market_instrument": _MARKET,
    "market_listing": _MARKET,
    "market_listingimport": _MARKET,
    "market_quote": _MARKET,
    "market_venueclock": _MARKET,
    "orders_installationkillswitch": GlobalTable(
        "read with every order, together with the tenant's own switches",
        login="SELECT",
        staff="SELECT, INSERT, UPDATE",
        app="SELECT",
        system="SELECT",
    ),
    "users_authenticator": _IDENTITY,
    "users_lockout": _IDENTITY,
    "users_recoverycodes": _IDENTITY,
    "users_refreshtoken": _IDENTITY,
    "users_session": _IDENTITY,
    "users_user": _IDENTITY,
    "users_user_groups": _PERMISSIONS,
    "users_user_user_permissions": _PERMISSIONS,
}

# SECURITY DEFINER functions: what must be known before a tenant is. Secret or id in, tenant and principal out.
DEFINER_FUNCTIONS: dict[str, str] = {
    "accounts_search_transactions": "text -> the ids of the scope's own transactions that contain it, by index",
    "tenants_api_key_principal": "API key hash -> key, tenant and scopes",
    "tenants_colleague": "user and a name -> who bears it, if that user handles their membership of some tenant",
    "tenants_open_invitation": "invitation token hash -> invitation and tenant, while it can be accepted",
    "tenants_impersonation_principal": "token hash, or staff user -> the live impersonation, whose it is and as whom",
    "tenants_record_look": "an audit leaf of what was looked at, for a live impersonation of the scope's own tenant",
    "tenants_user_memberships": "user id -> the user's tenants and roles",
    "tenants_session_principal": "session id -> user, tenant and role, while the session is alive",
}
