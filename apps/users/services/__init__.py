"""Every write of the users room."""

from apps.users.services.attempts import one_attempt_at_a_time
from apps.users.services.enrolment import Enrolled, begin_totp, confirm_totp, remove_factor, renew_recovery_codes
from apps.users.services.factors import AUTHENTICATOR_SEEDS, add_totp_device, remove_all_factors, spend_code
from apps.users.services.identity import (
    create_user,
    prepare_user,
    require_good_password,
    store_user,
)
from apps.users.services.lockout import require_not_locked_out, seconds_locked
from apps.users.services.passkeys import Ceremony, ask_for_passkey, begin_passkey, checked_passkey, confirm_passkey
from apps.users.services.passwords import change_password, get_user_of_reset, reset_password, set_password
from apps.users.services.resets import (
    ResetLetter,
    ask_for_reset,
    discard_reset,
    forget_resets,
    is_wanted,
    take_reset,
    write_letter,
)
from apps.users.services.sessions import (
    OpenSession,
    end_other_sessions,
    forget_sessions,
    refresh_session,
    renew_proof,
    revoke_any_session,
    revoke_by_refresh_token,
    revoke_session,
    revoke_sessions,
    revoke_staff_session,
    start_session,
)
from apps.users.services.sign_in import (
    check_password,
    check_second_factor,
    is_locked_out,
    record_refusal,
    refuse_stranger,
    visitor,
)
from apps.users.services.successors import SUCCESSORS

__all__ = [
    "AUTHENTICATOR_SEEDS",
    "SUCCESSORS",
    "Ceremony",
    "Enrolled",
    "OpenSession",
    "ResetLetter",
    "add_totp_device",
    "ask_for_passkey",
    "ask_for_reset",
    "begin_passkey",
    "begin_totp",
    "change_password",
    "check_password",
    "check_second_factor",
    "checked_passkey",
    "confirm_passkey",
    "confirm_totp",
    "create_user",
    "discard_reset",
    "end_other_sessions",
    "forget_resets",
    "forget_sessions",
    "get_user_of_reset",
    "is_locked_out",
    "is_wanted",
    "one_attempt_at_a_time",
    "prepare_user",
    "record_refusal",
    "refresh_session",
    "refuse_stranger",
    "remove_all_factors",
    "remove_factor",
    "renew_proof",
    "renew_recovery_codes",
    "require_good_password",
    "require_not_locked_out",
    "reset_password",
    "revoke_any_session",
    "revoke_by_refresh_token",
    "revoke_session",
    "revoke_sessions",
    "revoke_staff_session",
    "seconds_locked",
    "set_password",
    "spend_code",
    "start_session",
    "store_user",
    "take_reset",
    "visitor",
    "write_letter",
]
