"""Every write of the tenants room."""

from apps.tenants.services.api_keys import NewApiKey, create_api_key, revoke_api_key, roll_api_key
from apps.tenants.services.impersonations import (
    end_all_impersonations,
    end_impersonation,
    end_impersonations_of_staff,
    issue_impersonation_token,
    may_impersonate,
    record_look,
    settle_impersonations,
    start_impersonation,
)
from apps.tenants.services.invitations import (
    WAITING_LETTERS,
    find_letter,
    invite,
    mark_sent,
    resend_invitation,
    revoke_invitation,
)
from apps.tenants.services.joining import Joined, NewUser, accept_invitation
from apps.tenants.services.members import add_colleague, add_member, change_role, remove_member
from apps.tenants.services.password_resets import confirm_password_reset, post_resets
from apps.tenants.services.plans import require_room, set_plan
from apps.tenants.services.read_only import engage_read_only, release_read_only
from apps.tenants.services.requests import store_request_counts
from apps.tenants.services.roles import change_tenant_role, create_tenant_role, delete_tenant_role
from apps.tenants.services.sign_in import (
    reauthenticate,
    reauthenticate_with_passkey,
    refresh_tokens,
    sign_in,
    sign_in_with_passkey,
)
from apps.tenants.services.tenants import create_tenant, reactivate_tenant, set_require_mfa, suspend_tenant

__all__ = [
    "WAITING_LETTERS",
    "Joined",
    "NewApiKey",
    "NewUser",
    "accept_invitation",
    "add_colleague",
    "add_member",
    "change_role",
    "change_tenant_role",
    "confirm_password_reset",
    "create_api_key",
    "create_tenant",
    "create_tenant_role",
    "delete_tenant_role",
    "end_all_impersonations",
    "end_impersonation",
    "end_impersonations_of_staff",
    "engage_read_only",
    "find_letter",
    "invite",
    "issue_impersonation_token",
    "mark_sent",
    "may_impersonate",
    "post_resets",
    "reactivate_tenant",
    "reauthenticate",
    "reauthenticate_with_passkey",
    "record_look",
    "refresh_tokens",
    "release_read_only",
    "remove_member",
    "require_room",
    "resend_invitation",
    "revoke_api_key",
    "revoke_invitation",
    "roll_api_key",
    "set_plan",
    "set_require_mfa",
    "settle_impersonations",
    "sign_in",
    "sign_in_with_passkey",
    "start_impersonation",
    "store_request_counts",
    "suspend_tenant",
]
