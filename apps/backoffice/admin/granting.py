"""The page that grants tenants to a staff user and takes them back, and what is told of it on records' pages."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from guardian.models import UserObjectPermission

from apps.audit.opening import OpenedEntry
from apps.backoffice.granting import grant_tenant, latest_grants, revoke_tenant
from apps.backoffice.reach import GRANT, granted_tenants, reaches_all, tenant_grants
from apps.core import clock
from apps.core.admin import (
    Panel,
    ServiceAction,
    Table,
    chip,
    contribute_actions,
    contributes_panels,
    link,
    moment,
    record_url,
    staff_actor,
)
from apps.core.errors import DomainError
from apps.tenants.models import Tenant
from apps.users.models import User

LONGEST_REASON = 500
_OFFERED = 500


class TenantsForm(forms.Form):
    """Tenants to grant, by slug, and granted ones to take back."""

    add = forms.CharField(
        label=gettext_lazy("Grant"),
        help_text=gettext_lazy("Slugs of tenants, with spaces between them."),
        max_length=2000,
        required=False,
        widget=forms.TextInput(attrs={"list": "fo-tenants", "autocomplete": "off", "autofocus": True}),
    )
    remove = forms.ModelMultipleChoiceField(queryset=Tenant.objects.none(), required=False)
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("The audit logs keep it: ours, and the one that the tenant can read."),
        error_messages={"required": gettext_lazy("Say why: the audit logs keep it.")},
        max_length=LONGEST_REASON,
    )

    def __init__(self, granted: Any, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.fields["remove"].queryset = granted  # type: ignore[attr-defined]

    def clean_add(self) -> list[Tenant]:
        """Return the tenants of these slugs."""
        slugs = set(self.cleaned_data["add"].replace(",", " ").split())
        found = list(Tenant.objects.filter(slug__in=slugs).order_by("slug"))
        unknown = sorted(slugs - {tenant.slug for tenant in found})
        if unknown:
            raise ValidationError(_("There is no tenant with this slug: %(slugs)s.") % {"slugs": ", ".join(unknown)})
        return found

    def clean(self) -> dict[str, Any]:
        """Ask for something to do."""
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors and not cleaned["add"] and not cleaned["remove"]:
            raise ValidationError(_("Name a tenant to grant, or mark one to take back."))
        return cleaned


def tenants_view(request: HttpRequest, user: User) -> HttpResponse:
    """Show the form; once it is sent and valid, call the services."""
    if not user.is_staff:
        raise PermissionDenied
    granted = Tenant.objects.filter(pk__in=granted_tenants(user)).order_by("slug")
    form = TenantsForm(granted, request.POST) if "reason" in request.POST else TenantsForm(granted)
    back = record_url("users.user", user.pk)
    if form.is_bound and form.is_valid() and _apply(request, user, form):
        return HttpResponseRedirect(back)
    chosen = set(request.POST.getlist("remove"))
    context = {
        **admin.site.each_context(request),
        "title": _("Tenants of %(name)s") % {"name": user.username},
        "opts": User._meta,
        "form": form,
        "person": user,
        "reaches_all": reaches_all(user),
        "granted": [(tenant, str(tenant.pk) in chosen) for tenant in granted],
        "offered": Tenant.objects.exclude(pk__in=granted).order_by("slug")[:_OFFERED],
        "back": back,
    }
    return TemplateResponse(request, "backoffice/staff_tenants.html", context)


def _apply(request: HttpRequest, user: User, form: TenantsForm) -> bool:
    asked: dict[str, Any] = {"user_id": user.pk, "reason": form.cleaned_data["reason"]}
    asked |= {"actor": staff_actor(request), "now": clock.now()}
    try:
        added = [tenant.slug for tenant in form.cleaned_data["add"] if grant_tenant(tenant_id=tenant.pk, **asked)]
        gone = [tenant.slug for tenant in form.cleaned_data["remove"] if revoke_tenant(tenant_id=tenant.pk, **asked)]
    except DomainError as error:
        form.add_error(None, ValidationError(str(error.message)))
        return False
    for text, slugs in ((_("Granted: %(slugs)s."), added), (_("Taken back: %(slugs)s."), gone)):
        if slugs:
            messages.success(request, text % {"slugs": ", ".join(slugs)})
    if not added and not gone:
        messages.info(request, _("It was so already."))
    return True


contribute_actions(
    User,
    ServiceAction(
        name="tenants",
        label=gettext_lazy("Tenants"),
        icon="apartment",
        page=tenants_view,
        permission=GRANT,
        sensitive=True,
        available=lambda user: user.is_staff,
    ),
)


@contributes_panels(User)
def tenants_of(_request: HttpRequest, user: User) -> Sequence[Panel]:
    """Return the tenants that a staff user was granted."""
    if not user.is_staff:
        return ()
    if reaches_all(user):
        return [Table(_("Tenants"), [], [], empty=_("Every tenant: no grant is needed."))]
    keys = granted_tenants(user)
    told = latest_grants([user], keys)
    rows = [
        [link(record_url("tenants.tenant", key), chip(slug)), *_told(told.get((str(user.pk), key)))]
        for key, slug in sorted(admin.site.tenant_slugs(keys).items(), key=lambda item: item[1])  # type: ignore[attr-defined]
    ]
    headers = [_("tenant"), _("granted by"), _("when"), _("why")]
    return [Table(_("Tenants"), headers, rows, empty=_("None: they see no tenant's row. “Tenants” above grants one."))]


@contributes_panels(Tenant)
def staff_of(_request: HttpRequest, tenant: Tenant) -> Sequence[Panel]:
    """Return the staff who were granted a tenant by name."""
    grants = tenant_grants(UserObjectPermission.objects.filter(object_pk=str(tenant.pk))).select_related("user")
    staff = sorted((grant.user for grant in grants), key=lambda user: user.username)
    told = latest_grants(staff, [tenant.pk])
    rows = [
        [link(record_url("users.user", user.pk), user.username), *_told(told.get((str(user.pk), tenant.pk)))]
        for user in staff
    ]
    headers = [_("name"), _("granted by"), _("when"), _("why")]
    empty = _("Nobody by name; whoever reaches every tenant reaches this one.")
    return [Table(_("Staff"), headers, rows, empty=empty)]


def _told(leaf: OpenedEntry | None) -> tuple[str, str, str]:
    if leaf is None:
        return "", "", _("by a group or on the command line")
    return leaf.label, moment(leaf.entry.at), leaf.changes["reason"][1]
