"""Bearer credentials of the API."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request


class BearerAuthentication(BaseAuthentication):
    """Authenticate API keys and access tokens."""

    def authenticate(self, request: Request) -> None:
        return None
