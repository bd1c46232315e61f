"""What every process verifies before it serves: its settings and the role that it logs in with."""

import logging
import sys

from django.core.checks import ERROR, Tags, run_checks
from django.db import OperationalError, connection

from apps.core.db.login import UnsafeLogin, assert_safe_login, assert_safe_login_later
from apps.core.keyrings import keys_of

logger = logging.getLogger(__name__)


def refuse_unsafe_start(*, signs: bool = False) -> None:
    """End the process with one line per problem when settings are invalid or the login role is unsafe.

    What `signs` checkpoints needs the keys for it.

    A database that cannot be reached is not a reason to end: readiness reports it. The role is looked at once it can.
    """
    problems = [str(message) for message in run_checks(tags=[Tags.security, "finops"]) if message.level >= ERROR]
    if signs:
        problems += _missing_audit_keys()
    try:
        if not problems:
            assert_safe_login()
    except UnsafeLogin as error:
        problems.append(str(error))
    except OperationalError as error:
        logger.warning("boot.database_unreachable", extra={"error": str(error)})
        assert_safe_login_later()
    finally:
        # Before any fork: a child must not inherit a socket, nor a pool whose threads stayed with the parent.
        connection.close()
        if connection.settings_dict["OPTIONS"].get("pool"):
            connection.close_pool()  # type: ignore[attr-defined]  # the PostgreSQL wrapper has it
    if problems:
        sys.exit("finops does not start:\n" + "\n".join(f"  - {problem}" for problem in problems))


def _missing_audit_keys() -> list[str]:
    try:
        keys_of("AUDIT_KEYS")
    except ValueError as error:
        return [f"FINOPS_AUDIT_KEYS: {error}; workers of the queue `logs` sign checkpoints with it."]
    return []
