"""What is not tenant-scoped, and why. Tests compare these lists with the database."""

from dataclasses import dataclass

from apps.core.db.operations import REACH_PREDICATE

_ALL = "SELECT, INSERT, UPDATE, DELETE"


@dataclass(frozen=True, slots=True)
class Limited:
    """What staff limited to some tenants may do on a global table.

    `rows` is the condition for the rows that they reach, `changes` the one for those that they write: by default the
    same. Without `acts` the admin's actions on the table's records are not for them.
    """

    privileges: str = "SELECT"
    rows: str = "true"
    changes: str = ""
    acts: bool = False


@dataclass(frozen=True, slots=True)
class GlobalTable:
    """A table without tenant rows: why it is global, and the privileges of each role on it.

    `login` are the login roles outside of any scope (finops_web and finops_worker), `staff` the admin,
    `app` and `system` the scoped runtime roles. `impersonator` lets staff who look as a member, and
    members who read single objects alone, read it. The verifier reads every table. Without
    `limited` the table, and its pages in the admin, are out of reach for staff limited to some tenants.
    """

    reason: str
    login: str = ""
    staff: str = ""
    limited: Limited | None = None
    app: str = ""
    system: str = ""
    impersonator: bool = False


_SELF = "NULLIF(current_setting('app.staff_id', true), '')::uuid"
_THEIR_TENANTS = REACH_PREDICATE.format(column="tenant_id")
# Memberships have a policy of their own: theirs are those of their tenants.
_THEIR_PEOPLE = f"id = {_SELF} OR EXISTS (SELECT FROM tenants_membership m WHERE m.user_id = users_user.id)"


def _of_theirs(column: str = "user_id") -> str:
    """Return the condition for rows of users whom limited staff see."""
    return f"EXISTS (SELECT FROM users_user u WHERE u.id = {column})"


def _identity(limited: Limited | None = None) -> GlobalTable:
    return GlobalTable("identity exists before a tenant is known", login=_ALL, staff=_ALL, limited=limited)


def _permissions(limited: Limited) -> GlobalTable:
    reason = "Django's permission tables name models, not tenants"
    return GlobalTable(reason, login="SELECT", staff=_ALL, limited=limited)


_OWN_FACTORS = _identity(Limited(_ALL, rows=_of_theirs(), changes=f"user_id = {_SELF}"))
_NAMES = _permissions(Limited())
_OWN_PERMISSIONS = _permissions(Limited(rows=f"user_id = {_SELF}"))
_SCHEDULE = GlobalTable("beat's schedule belongs to the installation", login=_ALL, staff=_ALL)

# Written by whichever process has just asked the venue, outside of any tenant's scope.
_MARKET = GlobalTable(
    "market data are the same for every tenant",
    login="SELECT, INSERT, UPDATE",
    staff="SELECT",
    limited=Limited(),
    app="SELECT",
    system="SELECT",
    impersonator=True,
)

GLOBAL_TABLES: dict[str, GlobalTable] = {
    "audit_checkpointkey": GlobalTable(
        "public keys: the same key signs the checkpoints of every log",
        login="SELECT",
        staff="SELECT",
        limited=Limited(),
        app="SELECT",
        system="SELECT, INSERT",
    ),
    "axes_accessattempt": _identity(),
    "axes_accessattemptexpiration": _identity(),
    "axes_accessfailurelog": _identity(),
    "axes_accesslog": _identity(),
    "auth_group": _NAMES,
    "auth_group_permissions": _NAMES,
    "auth_permission": _NAMES,
    "core_readonlyswitch": GlobalTable(
        "read on every write, together with the scope",
        login="SELECT",
        staff=_ALL,
        limited=Limited(_ALL, rows=f"tenant_id IS NULL OR {_THEIR_TENANTS}", changes=_THEIR_TENANTS, acts=True),
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
    "django_content_type": _NAMES,
    "django_migrations": GlobalTable("the schema's own history", login="SELECT", staff="SELECT"),
    "django_session": _identity(Limited(_ALL)),  # a new password gives the session a new key
    "guardian_groupobjectpermission": _permissions(
        Limited(
            rows="EXISTS (SELECT FROM users_user_groups g WHERE g.group_id = guardian_groupobjectpermission.group_id)"
        )
    ),
    "guardian_userobjectpermission": _OWN_PERMISSIONS,
    "jobs_queue": GlobalTable(
        "a queue is the installation's, and so are its bounds",
        login="SELECT, INSERT",
        staff="SELECT, UPDATE",
        system="SELECT",
    ),
    "market_instrument": _MARKET,
    "market_listing": _MARKET,
    "market_listingimport": _MARKET,
    "market_quote": _MARKET,
    "market_venueclock": _MARKET,
    "ops_clearing": GlobalTable(
        "one replay of dead letters spans tenants; the worker carries it out",
        login="SELECT, UPDATE",
        staff="SELECT, INSERT, UPDATE",
        limited=Limited("SELECT, INSERT, UPDATE", rows=f"staff_id = {_SELF}", acts=True),
    ),
    "ops_verificationrun": GlobalTable(
        "a verification is the whole installation's; the worker runs it",
        login="SELECT, INSERT, UPDATE",
        staff="SELECT, INSERT",
    ),
    "orders_installationkillswitch": GlobalTable(
        "read with every order, together with the tenant's own switches",
        login="SELECT",
        staff="SELECT, INSERT, UPDATE",
        limited=Limited(),
        app="SELECT",
        system="SELECT",
    ),
    "users_authenticator": _OWN_FACTORS,
    "users_lockout": _identity(),
    "users_passkey": _OWN_FACTORS,
    "users_passkeychallenge": _identity(Limited(_ALL, rows=f"user_id = {_SELF}")),
    "users_passwordreset": _identity(),
    "users_recoverycodes": _OWN_FACTORS,
    "users_refreshtoken": _identity(),
    "users_session": _identity(Limited("SELECT, UPDATE", rows=_THEIR_TENANTS, acts=True)),
    "users_staffsession": _identity(Limited("SELECT, UPDATE", rows=f"user_id = {_SELF}", acts=True)),
    # An identity is no tenant's: whoever is limited sees their tenants' people and changes their own row alone.
    "users_user": _identity(Limited("SELECT, UPDATE", rows=_THEIR_PEOPLE, changes=f"id = {_SELF}")),
    "users_user_groups": _OWN_PERMISSIONS,
    "users_user_user_permissions": _OWN_PERMISSIONS,
}

# SECURITY DEFINER functions: what must be known before a tenant is. Secret or id in, tenant and principal out.
DEFINER_FUNCTIONS: dict[str, str] = {
    "accounts_search_transactions": "text -> the ids of the scope's own transactions that contain it, by index",
    "audit_subject_key_of": "a data subject -> their key in the open scope's log: the one offered, if there is none",
    "providers_hook_connection": "id of a connection and its provider -> its tenant, and the provider's name for it",
    "tenants_api_key_principal": "API key hash -> key, tenant and scopes",
    "tenants_colleague": "user and a name -> who bears it, if that user handles their membership of some tenant",
    "tenants_invitation_tenant": "invitation token hash -> whose invitation it is or was",
    "tenants_open_invitation": "invitation token hash -> invitation and tenant, while it can be accepted",
    "tenants_impersonation_principal": "token hash, or staff user -> the live impersonation, whose it is and as whom",
    "tenants_record_look": "an audit leaf of what was looked at, for a live impersonation of the scope's own tenant",
    "tenants_user_memberships": "user id -> the user's tenants and roles",
    "tenants_session_principal": "session id -> user, tenant and role, while the session is alive",
}
