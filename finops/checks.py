"""System checks of the settings. `manage.py check` and every process's start run them."""

import os
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from apps.core.keyrings import parse_keys
from finops.settings import env


@register("finops")
def check_environment(**_options: Any) -> list[CheckMessage]:
    """Report every environment value that is missing or malformed (finops.E001)."""
    return [
        Error(problem, hint="See .env.example for every value and its form.", id="finops.E001")
        for problem in env.PROBLEMS
    ]


@register("finops")
def check_keys(**_options: Any) -> list[CheckMessage]:
    """Report key rings that cannot be parsed (finops.E002)."""
    messages: list[CheckMessage] = []
    for name in ("FIELD_KEYS", "TOKEN_KEYS", "AUDIT_KEYS"):
        value = getattr(settings, name)
        try:
            if value:  # absence is E001's, and of AUDIT_KEYS the worker's
                parse_keys(value)
        except ValueError as error:
            messages.append(Error(f"FINOPS_{name}: {error}.", id="finops.E002"))
    return messages


@register("finops")
def check_login_role(**_options: Any) -> list[CheckMessage]:
    """Report a login role that owns the schema, by its name; the live check is in finops.boot (finops.E003)."""
    user = settings.DATABASES["default"].get("USER")
    if user and user == settings.DATABASE_OWNER.get("USER") and not settings.OWNER_LOGIN:
        return [Error("DATABASE_URL logs in as the owner; use finops_web or finops_worker.", id="finops.E003")]
    return []


@register("finops")
def check_sandbox(**_options: Any) -> list[CheckMessage]:
    """Report a sandbox in the place of the real hosts where nobody asked for one (finops.E004)."""
    if settings.SANDBOX_URL and not settings.ALLOW_SANDBOX:
        hint = "A staging installation without real money also sets FINOPS_ALLOW_SANDBOX=true."
        return [Error("FINOPS_SANDBOX_URL is set in production.", hint=hint, id="finops.E004")]
    return []


@register("finops")
def check_metrics(**_options: Any) -> list[CheckMessage]:
    """Report a worker's metrics endpoint that could not see what its children count (finops.E005)."""
    if settings.METRICS_PORT and "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        hint = "Set it to an empty folder that is cleared at each start, such as a tmpfs."
        return [Error("FINOPS_METRICS_PORT is set without PROMETHEUS_MULTIPROC_DIR.", hint=hint, id="finops.E005")]
    return []


@register("finops")
def check_witnesses(**_options: Any) -> list[CheckMessage]:
    """Report witnesses that nothing could be sent to (finops.E006)."""
    from finops.witness.stores import ServerStore, open_stores

    try:
        stores = open_stores()
    except ValueError as error:
        return [Error(f"FINOPS_WITNESS: {error}.", id="finops.E006")]
    if any(isinstance(store, ServerStore) for store in stores) and not settings.WITNESS_SECRET:
        hint = "whsec_ and base64 of 32 random bytes, which the witness knows as well."
        return [
            Error("FINOPS_WITNESS names a server, but there is no FINOPS_WITNESS_SECRET.", hint=hint, id="finops.E006")
        ]
    return []
