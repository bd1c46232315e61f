"""The door of a view: whoever holds a permission under a condition on the resource passes where a service judges it."""

from typing import Any
from uuid import UUID

import pytest
from rest_framework.test import APIRequestFactory

from apps.core import context
from apps.core.actor import Actor
from apps.core.api.permissions import HasRequiredPermission
from apps.core.api.views import TenantView
from apps.core.conditions import OwnResource
from apps.core.objects import Objects
from apps.core.principal import Principal

pytestmark = pytest.mark.no_database


class Forgetful(TenantView):
    """A view that says nothing of conditions."""

    required_permissions = {"POST": "orders:write"}

    def post(self) -> None: ...


class Careful(Forgetful):
    """A view whose service judges them."""

    judged_with_resource = ("POST",)


@pytest.mark.parametrize(
    ("view", "conditions", "passes"),
    [
        (Forgetful, {}, True),
        (Forgetful, {"orders:write": (OwnResource(),)}, False),
        (Careful, {"orders:write": (OwnResource(),)}, True),
    ],
)
def test_a_view_that_forgets_a_condition_is_closed(view: type[TenantView], conditions: Any, passes: bool) -> None:
    actor = Actor(kind="user", label="ada", user_id=UUID(int=1), conditions=conditions)
    request: Any = APIRequestFactory().post("/")
    request.auth = Principal(actor=actor, permissions=frozenset({"orders:write"}), role="desk")
    assert HasRequiredPermission().has_permission(request, view()) is passes


@pytest.mark.parametrize(("view", "passes"), [(Forgetful, False), (Careful, True)])
def test_so_is_one_that_forgets_that_it_was_granted_for_single_objects(view: type[TenantView], passes: bool) -> None:
    granted = {"orders:write": Objects(accounts=frozenset([UUID(int=7)]))}
    actor = Actor(kind="user", label="nia", user_id=UUID(int=1), granted=granted)
    request: Any = APIRequestFactory().post("/")
    request.auth = Principal(actor=actor, permissions=frozenset(), role="guest")
    with context.use(context.Context()):
        assert HasRequiredPermission().has_permission(request, view()) is passes
        assert context.current().objects == granted["orders:write"]
