"""What an impersonation may reach, and the form of its bearer token."""

import re

from apps.core.permissions import Permission
from apps.core.tokens import TokenKind

_FORM = re.compile(rf"{TokenKind.IMPERSONATION}[A-Za-z0-9_-]{{43}}")

# All that a member's permissions are cut down to. Whatever is new is out until it stands here, and until the database
# lets finops_impersonator read what is behind it (`impersonator=True` in the migrations). Orders, members, API keys,
# webhooks, events and the audit log, which tell of all of these, and whatever asks a venue with the tenant's
# credentials (quotes) are out on purpose.
CEILING = frozenset(
    {
        Permission.PROVIDERS_READ,
        Permission.CONNECTIONS_READ,
        Permission.ACCOUNTS_READ,
        Permission.TRANSACTIONS_READ,
        Permission.POSITIONS_READ,
    }
)


def is_token(text: str) -> bool:
    """Tell whether a text has the form of such a token."""
    return _FORM.fullmatch(text) is not None
