"""A decision explains itself: who may use a permission, and why or why not."""

from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.serializers import DecimalText
from apps.core.api.views import TenantView
from apps.core.conditions import Resource
from apps.core.decisions import Decision, StepCode, decide
from apps.core.errors import NotFound
from apps.core.permissions import Permission
from apps.core.scope import tenant_scope
from apps.tenants import explaining, selectors
from apps.tenants.api.permissions import IsAuthenticated

_READING = {"account": Permission.ACCOUNTS_READ, "order": Permission.ORDERS_READ}


class ExplainQuery(serializers.Serializer[Any]):
    """Which permission (all, if none is named), whose (your own, if nobody is named), and upon what: something that is
    there, or an order of some amount that they would place."""

    permission = serializers.ChoiceField(list(Permission), required=False)
    member = serializers.UUIDField(required=False)
    api_key = serializers.UUIDField(required=False)
    resource_type = serializers.ChoiceField(["account", "order"], required=False)
    resource_id = serializers.UUIDField(required=False)
    amount = DecimalText(required=False, min_value=0)

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        wrong = {}
        if "member" in values and "api_key" in values:
            wrong["api_key"] = [serializers.ErrorDetail(_("Name a member or an API key, not both."), "excluded")]
        lacking = {"resource_type", "resource_id"} - set(values)
        if len(lacking) == 1:
            wrong[lacking.pop()] = [serializers.ErrorDetail(_("Give both."), "required")]
        if "amount" in values and "resource_id" in values:
            told = _("What is there has its own amount.")
            wrong["amount"] = [serializers.ErrorDetail(told, "excluded")]
        if wrong:
            raise serializers.ValidationError(wrong)
        return values


class SubjectSerializer(serializers.Serializer[Any]):
    """Whom a decision is about."""

    type = serializers.ChoiceField(["user", "api_key"])
    id = serializers.UUIDField()
    name = serializers.CharField()
    role = serializers.CharField(allow_null=True)


class StepSerializer(serializers.Serializer[Any]):
    """One thing that a decision looked at; `passed` is null where only what it is about will tell."""

    code = serializers.ChoiceField(list(StepCode))
    passed = serializers.BooleanField(allow_null=True)
    text = serializers.CharField()


class PermissionDecisionSerializer(serializers.Serializer[Any]):
    """A decision and its steps. `depends`: nothing denies it, but a condition cannot be judged without a resource."""

    permission = serializers.ChoiceField(list(Permission))
    allowed = serializers.BooleanField()
    depends = serializers.BooleanField()
    steps = StepSerializer(many=True)


class ExplanationSerializer(serializers.Serializer[Any]):
    """What somebody may do, and why."""

    subject = SubjectSerializer()
    decisions = PermissionDecisionSerializer(many=True)


class ExplainView(TenantView):
    """GET /permissions/explain."""

    permission_classes = [IsAuthenticated]
    query_serializer = ExplainQuery
    looks_up_by_query = True

    @extend_schema(
        operation_id="explain_permission",
        summary="Why somebody may do something, or may not",
        description="Of yourself always; of other members and API keys with `members:read`. It is the decision that a "
        "request would meet at this moment. What you may not read yourself is answered as if it did not exist.",
        tags=["Tenant"],
        parameters=[ExplainQuery],
        responses=ExplanationSerializer,
    )
    def get(self, request: Request) -> Response:
        now = clock.now()
        asked = [Permission(self.query["permission"])] if "permission" in self.query else sorted(Permission)
        if "member" in self.query or "api_key" in self.query:
            decide(self.principal, Permission.MEMBERS_READ, now=now).require()
        with tenant_scope(self.tenant_id):
            who = self._who()
            resource = self._resource(who)
        decisions = [(permission, who.decide(permission, resource, now=now)) for permission in asked]
        actor = who.principal.actor
        subject = {
            "type": actor.kind,
            "id": actor.user_id or actor.api_key_id,
            "name": actor.label,
            "role": who.principal.role,
        }
        return Response(
            ExplanationSerializer({"subject": subject, "decisions": [_told(entry) for entry in decisions]}).data
        )

    def _who(self) -> explaining.Explained:
        if "member" in self.query:
            return explaining.about_member(selectors.get_member(self.query["member"]))
        if "api_key" in self.query:
            return explaining.about_key(selectors.get_api_key(self.query["api_key"]), now=clock.now())
        return explaining.about(self.principal)

    def _resource(self, who: explaining.Explained) -> Resource | None:
        if "resource_id" in self.query:
            found = explaining.get_resource(self.query["resource_type"], self.query["resource_id"])
            self._require_readable(found)
            return found
        if "amount" in self.query:
            return explaining.order_to_place(who, self.query["amount"])
        return None

    def _require_readable(self, found: Resource) -> None:
        """Refuse what the caller may not read, like what is not there; an API key's mode bounds no reading."""
        if not decide(self.principal, _READING[found.type], replace(found, is_live=None), now=clock.now()).allowed:
            raise NotFound


def _told(entry: tuple[Permission, Decision]) -> dict[str, Any]:
    permission, decision = entry
    return {
        "permission": permission,
        "allowed": decision.allowed,
        "depends": decision.depends,
        "steps": decision.steps,
    }
