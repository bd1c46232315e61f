"""Permissions of endpoints that concern the credentials themselves, whatever they may do elsewhere."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.tenants.types import Principal


class IsAuthenticated(BasePermission):
    """Allow any valid credentials."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.auth, Principal)


class UsersPost(BasePermission):
    """Allow POST to a signed-in user alone, whatever an API key may do otherwise."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return request.method != "POST" or IsUser().has_permission(request, view)


class UsersPatch(BasePermission):
    """Allow PATCH to a signed-in user alone, whatever an API key may do otherwise."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return request.method != "PATCH" or IsUser().has_permission(request, view)


class IsUser(BasePermission):
    """Allow a signed-in user, no API key: a program has no sessions."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.auth, Principal) and request.auth.session_id is not None
