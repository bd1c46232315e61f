"""Creating users: the installation's own business, in its own log."""

from datetime import datetime

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from apps.audit import services as audit
from apps.audit.types import Personal
from apps.core.actor import Actor
from apps.core.db.violations import translate_violations
from apps.core.scope import staff_scope
from apps.users.clients.breaches import is_breached
from apps.users.errors import PasswordTooWeak, UsernameTaken
from apps.users.models import User


def create_user(
    *,
    username: str,
    password: str,
    email: str = "",
    display_name: str = "",
    is_staff: bool = False,
    is_superuser: bool = False,
    actor: Actor,
    now: datetime,
) -> User:
    """Create a user who can sign in; `actor` acts upon no tenant.

    Raises:
        ValidationFailed: the user name or the e-mail address is malformed.
        PasswordTooWeak: see the class.
        UsernameTaken: see the class.
    """
    user = prepare_user(username=username, password=password, email=email, display_name=display_name, now=now)
    user.is_staff, user.is_superuser = is_staff, is_superuser
    return store_user(user, actor=actor, now=now)


def prepare_user(*, username: str, password: str, email: str, display_name: str = "", now: datetime) -> User:
    """Return a user to store, checked and with a hashed password; called outside of transactions.

    Raises:
        ValidationFailed, PasswordTooWeak: see `create_user`.
    """
    user = User(
        username=User.normalize_username(username),
        email=email,
        display_name=display_name,
        date_joined=now,
    )
    user.require_valid_fields(exclude=["password"])
    require_good_password(password, user)
    user.set_password(password)
    return user


def store_user(user: User, *, actor: Actor, now: datetime) -> User:
    """Store a prepared user.

    Raises:
        UsernameTaken: see the class.
    """
    with staff_scope():
        with translate_violations({"users_user_username_key": UsernameTaken()}):
            user.save(force_insert=True)
        audit.record(
            action="user.created",
            actor=actor,
            target_type="user",
            target_id=user.id,
            now=now,
            changes={"is_staff": [None, user.is_staff]},
            personal=Personal(user.id, {"username": [None, user.username]}),
        )
    return user


def require_good_password(password: str, user: User) -> None:
    """Refuse a password that is weak, or known from a breach; called outside of transactions.

    Raises:
        PasswordTooWeak: see the class.
    """
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise PasswordTooWeak(" ".join(error.messages)) from error
    if is_breached(password):
        raise PasswordTooWeak(_("The password is known from a data breach: change it wherever you use it."))
