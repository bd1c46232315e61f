"""How fresh a staff user's proof of who they are is: signing in is one, the page that asks again renews it."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.core import clock
from apps.core.proof import is_fresh

_KEY = "proved_at"
View = Callable[..., HttpResponse]


def mark_proved(request: HttpRequest, *, now: datetime) -> None:
    """Note in the session that its user has just proved who they are."""
    request.session[_KEY] = now.isoformat()


def is_proved(request: HttpRequest) -> bool:
    """Tell whether the session's user has proved not long ago who they are; a session without a note has not."""
    noted = request.session.get(_KEY)
    return noted is not None and is_fresh(datetime.fromisoformat(noted), now=clock.now())


def ask_first(back: str) -> HttpResponse:
    """Lead to the page that asks again, and from there back."""
    return HttpResponseRedirect(f"{reverse('admin:confirm_identity')}?{urlencode({'next': back})}")


def proved(back: str) -> Callable[[View], View]:
    """Let a view be reached with a fresh proof alone; without one it leads, by way of the proof, to the page `back`."""

    def wrap(view: View) -> View:
        @wraps(view)
        def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            return view(request, *args, **kwargs) if is_proved(request) else ask_first(reverse(back))

        return asked

    return wrap
