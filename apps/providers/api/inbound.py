"""Where providers send their webhooks: `POST /hooks/{provider}/{connection_id}`, outside of the API."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from apps.core import clock, context
from apps.core.api import limits
from apps.core.api.problems import problem_response, takes
from apps.core.errors import DomainError
from apps.providers.services import receive_hook
from apps.providers.types import ReceivedHook


@takes("POST")
def receive(request: HttpRequest, provider: str, connection_id: UUID) -> HttpResponseBase:
    """Answer 200 once the webhook is committed, or was before, and 404 to whatever proves nothing."""
    received = ReceivedHook(headers=request.headers, body=request.body, address=request.META.get("REMOTE_ADDR", ""))
    request_id = context.current().request_id
    try:
        limits.charge(request, None)
        receive_hook(
            provider=provider,
            connection_id=connection_id,
            received=received,
            request_id=request_id,
            now=clock.now(),
        )
    except DomainError as error:
        return problem_response(request, error)
    return HttpResponse()
