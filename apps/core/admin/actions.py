"""Actions of the admin: each calls a service once per object and reports what happened, exactly."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core import clock, context
from apps.core.actor import Actor
from apps.core.admin.panels import Text
from apps.core.errors import DomainError

MAX_OBJECTS = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an action did to one object; `one` and `many` are gettext messages with `%(count)s`."""

    one: str
    many: str

    def __call__(self, count: int) -> str:
        return ngettext(self.one, self.many, count) % {"count": count}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAction:
    """A button on a record's page and an entry in its list's action menu.

    `run(obj, actor, now, reason)` calls one service; `actor` acts upon the object's tenant. `confirm` is the question
    that a page of its own asks first; `needs_reason` makes that page ask for a reason, or with `options` for one of
    these (value, label): `run` gets it in the reason's place. `foretell(objects)` says there, in sentences, what will
    become of the chosen objects. With `page` in the place of `run` the button leads to
    that page, which calls the service, for one record at a time. A `sensitive` one asks first who it is,
    unless its user has proved that not long ago. `available` hides the button. `permission` is the
    codename's verb: staff need "<app>.<permission>_<model>"; or with a dot a permission of its own.
    """

    name: str
    label: Text
    icon: str
    run: Callable[[Any, Actor, datetime, str], Outcome] | None = None
    page: Callable[[HttpRequest, Any], HttpResponse] | None = None
    confirm: Text = ""
    foretell: Callable[[Sequence[Any]], Sequence[Text]] | None = None
    needs_reason: bool = False
    options: Sequence[tuple[str, Text]] = ()
    options_label: Text = ""
    danger: bool = False
    permission: str = "change"
    sensitive: bool = False
    available: Callable[[Any], bool] = lambda _obj: True

    @property
    def asks_first(self) -> bool:
        """Tell whether a page stands between the button and the service."""
        return bool(self.confirm or self.foretell or self.options or self.page) or self.needs_reason

    def accepts(self, answer: str) -> bool:
        """Tell whether the answer is one that the page asks for."""
        if self.options:
            return answer in [value for value, _label in self.options]
        return bool(answer) or not self.needs_reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAction:
    """A button above a list, for all rows that its filters show, on every page.

    It leads to `page`, which asks first; `available(query)` tells whether the list, as it is filtered, offers it.
    `permission` is as with a `ServiceAction`.
    """

    name: str
    label: Text
    icon: str
    page: Callable[[HttpRequest], HttpResponse]
    available: Callable[[QueryDict], bool]
    danger: bool = False
    permission: str = "change"


def staff_actor(request: HttpRequest) -> Actor:
    """Return the signed-in staff user as an actor that acts upon no tenant yet."""
    return Actor(
        kind="staff",
        label=request.user.get_username(),
        user_id=request.user.pk,
        request_id=context.current().request_id,
        ip=request.META.get("REMOTE_ADDR", ""),
    )


def run(action: ServiceAction, objects: Iterable[Any], request: HttpRequest, reason: str = "") -> None:
    """Call the action's service for each object and say what came of it.

    Each object is a unit of work of its own: one that is refused does not undo the others.
    """
    run_one, actor, now = action.run, staff_actor(request), clock.now()
    if run_one is None:
        raise TypeError(f"action {action.name!r} has a page of its own")
    done: Counter[Outcome] = Counter()
    refused: Counter[str] = Counter()
    for obj in objects:
        tenant_id = getattr(obj, "tenant_id", None)
        try:
            done[run_one(obj, actor.for_tenant(tenant_id) if tenant_id else actor, now, reason)] += 1
        except DomainError as error:
            refused[str(error.message)] += 1
    if done:
        messages.success(request, _sentence(outcome(count) for outcome, count in done.items()))
    for message, count in refused.items():
        messages.error(request, message if count == 1 else f"{count} × {message}")


def _sentence(parts: Iterable[str]) -> str:
    return ", ".join(parts) + "."


def too_many(request: HttpRequest) -> None:
    """Refuse a selection that one request should not work through."""
    text: str | Promise = _("At most %(count)s rows at once. Narrow the selection and run it again.")
    messages.error(request, text % {"count": MAX_OBJECTS})
