"""Keeping a page current: a fragment that costs little, and nothing but a question when nothing has changed.

The page asks every two seconds while it is visible (static/backoffice/live.js). Its answer carries an ETag of what is
shown: the same again is a 304 without a body, and the browser leaves the page alone.
"""

import re
from collections.abc import Iterable
from hashlib import sha256
from http import HTTPStatus

from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

LIVE = "live"

# What differs from one rendering to the next although nothing has happened: the age of a moment, which the browser
# counts on by itself, and the mask of the form's token.
_RESTLESS = re.compile(rb"(?<=UTC\">)[^<]*(?=</time>)|name=\"csrfmiddlewaretoken\" value=\"[^\"]*\"")


def is_live(request: HttpRequest) -> bool:
    """Tell whether a page asks for its live part alone."""
    return LIVE in request.GET


def url_of(request: HttpRequest) -> str:
    """Return where a page asks for its live part: itself, as it is filtered."""
    query = request.GET.copy()
    query[LIVE] = ""
    return f"?{query.urlencode()}"


def state_of(rows: Iterable[Model]) -> str:
    """Return a tag of everything that was loaded of the rows: it changes when a column does."""
    digest = sha256()
    for row in rows:
        digest.update(repr([(name, row.__dict__[name]) for name in sorted(row.__dict__) if name[0] != "_"]).encode())
    return _tag(digest.hexdigest())


def unchanged(request: HttpRequest, tag: str) -> HttpResponse | None:
    """Return the answer to a page that has this already, or None."""
    if request.headers.get("If-None-Match") != tag:
        return None
    return _tagged(HttpResponse(status=HTTPStatus.NOT_MODIFIED), tag)


def fragment(request: HttpRequest, response: TemplateResponse, tag: str = "") -> HttpResponse:
    """Render the live part and tag it, by default with what it shows."""
    response.render()
    tag = tag or _tag(sha256(_RESTLESS.sub(b"", response.content)).hexdigest())
    return unchanged(request, tag) or _tagged(response, tag)


def _tag(digest: str) -> str:
    return f'"{digest[:32]}"'


def _tagged(response: HttpResponse, tag: str) -> HttpResponse:
    response["ETag"] = tag
    response["Cache-Control"] = "private, no-cache"
    return response
