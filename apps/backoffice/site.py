"""The staff site: who may enter, and the scope that every page runs in."""

from collections.abc import Callable, Collection
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.functional import SimpleLazyObject
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from psycopg.errors import QueryCanceled
from unfold.sites import UnfoldAdminSite

from apps.backoffice import as_member, kill_switch, selectors, services
from apps.backoffice.identity import confirming, own_factors, passkeys, password
from apps.backoffice.identity.forms import StaffLoginForm
from apps.backoffice.identity.lockout import not_now
from apps.backoffice.reach import reach_of
from apps.backoffice.recent import Recent
from apps.backoffice.stops import TAG_HEADER, current_stops
from apps.backoffice.unproved import unproved
from apps.core import clock
from apps.core.admin import staff_actor
from apps.core.admin.live import fragment, is_live
from apps.core.admin.proof import mark_proved
from apps.core.api import limits
from apps.core.context import set_actor
from apps.core.errors import DomainError
from apps.core.scope import current_scope, staff_scope
from apps.tenants.models import ApiKey, Tenant
from apps.tenants.services import end_impersonations_of_staff
from apps.users.errors import InvalidCredentials, LockedOut
from apps.users.services.staff_sessions import note_use

View = Callable[..., HttpResponse]
_AT_ONCE = 500
BOARD_SECONDS = 2.0


class StaffSite(UnfoldAdminSite):  # type: ignore[misc]  # unfold has no types
    """The admin: for active staff who signed in with a one-time code, reading across tenants."""

    login_form = StaffLoginForm
    login_template = "backoffice/login.html"
    logout_template = "backoffice/signed_out.html"
    index_title = _("Overview")

    def has_permission(self, request: HttpRequest) -> bool:
        """Tell whether the user is active staff and verified by a one-time code in this session."""
        user: Any = request.user
        return bool(user.is_active and user.is_staff and user.is_verified())

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Run the view, and the rendering of what it returns, in the user's staff scope.

        Signing out runs as the login role, and so does changing one's password, which may ask another system.
        """
        if view in (self.logout, self.password_change):
            return self._guarded(view, cacheable)

        def scoped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            set_actor(staff_actor(request))  # named in the log, whatever comes of it
            if not is_live(request):
                note_use(request, now=clock.now())
            try:
                return _rendered(view, request, *args, **kwargs)
            except OperationalError as error:
                if isinstance(error.__cause__, QueryCanceled):
                    return _rendered(self._too_slow, request)
                raise

        scoped.__name__ = getattr(view, "__name__", "view")
        return self._guarded(scoped, cacheable)

    def _guarded(self, view: View, cacheable: bool) -> View:
        guarded: View = super().admin_view(view, cacheable)
        return guarded

    def _too_slow(self, request: HttpRequest) -> HttpResponse:
        context = {**self.each_context(request), "title": _("Too slow")}
        return TemplateResponse(request, "backoffice/too_slow.html", context, status=HTTPStatus.SERVICE_UNAVAILABLE)

    def get_urls(self) -> list[URLPattern]:
        switch = self.admin_view(kill_switch.change)
        return [
            path("live/", self.admin_view(self.live), name="live"),
            path("stops/", self.admin_view(self.stops), name="stops"),
            path("as-member/", self.admin_view(as_member.overview), name="as_member"),
            path("as-member/end/", self.admin_view(as_member.end), name="as_member_end"),
            path("as-member/token/", self.admin_view(as_member.token), name="as_member_token"),
            path("as-member/<slug:section>/", self.admin_view(as_member.listing), name="as_member_list"),
            path("as-member/<slug:section>/<uuid:key>/", self.admin_view(as_member.one), name="as_member_one"),
            path("confirm/", self.admin_view(confirming.page), name="confirm_identity"),
            path("factors/", self.admin_view(own_factors.page), name="own_factors"),
            path("factors/add/", self.admin_view(own_factors.add), name="own_factors_add"),
            path("factors/codes/", self.admin_view(own_factors.renew_codes), name="own_factors_codes"),
            path("factors/passkey/", self.admin_view(passkeys.add), name="own_factors_passkey"),
            path("factors/passkey/confirm/", self.admin_view(passkeys.confirm), name="own_factors_passkey_confirm"),
            path("factors/<uuid:factor_id>/confirm/", self.admin_view(own_factors.confirm), name="own_factors_confirm"),
            path("factors/<uuid:factor_id>/remove/", self.admin_view(own_factors.remove), name="own_factors_remove"),
            path("login/passkey/", self.login_with_passkey, name="login_passkey"),
            path("login/passkey/ask/", self.ask_for_passkey, name="login_passkey_ask"),
            path("requests/", self.admin_view(self.trace), name="request_trace"),
            path("kill-switch/", self.admin_view(kill_switch.page), name="kill_switch"),
            path("kill-switch/<slug:scope>/", switch, name="kill_switch_installation"),
            path("kill-switch/<slug:scope>/<uuid:key>/", switch, name="kill_switch_change"),
            # Nothing has a page on a site, and Django's way to it asks for no permission.
            *(found for found in super().get_urls() if getattr(found, "name", "") != "view_on_site"),
        ]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Return what every page shows: inside, whose trading is stopped as well."""
        context: dict[str, Any] = super().each_context(request)
        if current_scope() is not None and self.has_permission(request):
            context["stops"] = current_stops()
        return context

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> Any:
        """Return the models by app, found when they are read: most pages have the sidebar instead."""
        return SimpleLazyObject(partial(super().get_app_list, request, app_label))

    # Signing in and out.

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Sign a staff user in; the outcome is audited. Attempts are limited by address, whatever names they try."""
        if request.method == "POST":
            try:
                limits.charge(request, None, also=(limits.SIGN_IN,))
            except DomainError as refusal:
                return not_now(request, refusal)
        shown = {"passkeys": own_factors.standing(request), **(extra_context or {})}
        response: HttpResponse = super().login(request, shown)
        if request.method != "POST":
            return response
        form = (getattr(response, "context_data", None) or {}).get("form")
        if form is None:
            _entered(request)
        elif form.refusal:
            username = form.cleaned_data.get("username", "")
            user = get_user_model().objects.filter(username=username, is_staff=True).first()
            services.record_refused_sign_in(request=request, user=user, reason=form.refusal, now=clock.now())
        return response

    @method_decorator(never_cache)
    def ask_for_passkey(self, request: HttpRequest) -> HttpResponse:
        """Answer what the browser is to sign for whoever signs in; limited like an attempt. POST only."""
        try:
            limits.charge(request, None, also=(limits.SIGN_IN,))
        except DomainError as refusal:
            return JsonResponse({"message": str(refusal.message)}, status=refusal.status)
        return passkeys.ask(request)

    @method_decorator(never_cache)
    def login_with_passkey(self, request: HttpRequest) -> HttpResponse:
        """Sign a staff user in who answers with a passkey; it stands for password and code. POST only."""
        page = reverse("admin:login")
        if request.method != "POST":
            return HttpResponseRedirect(page)
        wanted = request.POST.get("next", "")
        target = wanted if url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) else reverse("admin:index")
        try:
            limits.charge(request, None, also=(limits.SIGN_IN,))
            passkeys.sign_in(request)
        except (InvalidCredentials, LockedOut) as refusal:
            return self._ask_again(request, target, refusal)
        except DomainError as refusal:
            return not_now(request, refusal)
        _entered(request)
        return HttpResponseRedirect(target)

    def _ask_again(self, request: HttpRequest, target: str, refusal: DomainError) -> HttpResponse:
        context = {
            **self.each_context(request),
            "form": self.login_form(request),
            "app_path": f"{reverse('admin:login')}?{urlencode({'next': target})}",
            "next": target,
            "passkeys": own_factors.standing(request),
            "passkey_refusal": _("The passkey was not accepted. Try again, or sign in with password and code."),
        }
        return TemplateResponse(request, self.login_template, context, status=refusal.status)

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Sign the staff user out; audited."""
        if request.user.is_authenticated:
            end_impersonations_of_staff(staff_id=request.user.pk, actor=staff_actor(request), now=clock.now())
            services.record_sign_out(actor=staff_actor(request), now=clock.now())
        response: HttpResponse = super().logout(request, extra_context)
        # Pages are never stored, but the one behind "back" is still in the browser's memory.
        response["Clear-Site-Data"] = '"cache", "cookies", "storage"'
        return response

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        """Let staff change their own password; see `apps.backoffice.identity.password`."""
        with staff_scope():
            context = {**self.each_context(request), **(extra_context or {})}
        return password.change(request, context)

    # The dashboard.

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Show the dashboard."""
        board = _board() if _may_see_board(request) else None
        found = {"board": board, "unproved": unproved(request)}
        context = {**self.each_context(request), "title": self.index_title, **found}
        return TemplateResponse(request, "backoffice/dashboard.html", context)

    def live(self, request: HttpRequest) -> HttpResponse:
        """Return the dashboard's content alone; the page asks for it every two seconds."""
        if not _may_see_board(request):
            raise PermissionDenied
        found = {"board": _board(), "unproved": unproved(request)}
        return fragment(request, TemplateResponse(request, "backoffice/board.html", found))

    def stops(self, request: HttpRequest) -> HttpResponse:
        """Return the banner of stopped trading alone; a live page asks for it when its tag has changed."""
        return TemplateResponse(request, "backoffice/stops.html", {"stops": current_stops()})

    def trace(self, request: HttpRequest) -> HttpResponse:
        """Show everything of one request."""
        from apps.backoffice import tracing  # which needs the rooms' pages, as the board does

        return tracing.page(request)

    # Tenants, users and API keys by name, for rooms below that know only ids.

    def tenant_slugs(self, ids: Collection[UUID]) -> dict[UUID, str]:
        """Return {tenant id: slug} in one query."""
        return dict(Tenant.objects.filter(pk__in=ids).values_list("pk", "slug"))

    def names_of(self, ids: Collection[UUID]) -> dict[UUID, str]:
        """Return {id: name} of the users and API keys among these, in two queries."""
        users = get_user_model().objects.filter(pk__in=ids).values_list("pk", "username")
        return dict([*ApiKey.objects.filter(pk__in=ids).values_list("pk", "name"), *users])

    def who_is_named(self, part: str) -> list[UUID]:
        """Return the ids of the users and API keys whose names contain this, of very many the first."""
        users = get_user_model().objects.filter(username__icontains=part).order_by("username")
        keys = ApiKey.objects.filter(name__icontains=part).order_by("-pk")
        return [key for rows in (users, keys) for key in rows.values_list("pk", flat=True)[:_AT_ONCE]]

    def tenant_choices(self) -> list[tuple[UUID, str]]:
        """Return the tenants that a filter offers: (id, slug), by slug."""
        return list(Tenant.objects.order_by("slug").values_list("pk", "slug")[:_AT_ONCE])


def _entered(request: HttpRequest) -> None:
    """Note that a staff user has just signed in, and by which factor."""
    user: Any = request.user
    note_use(request, now=clock.now(), at_once=True)
    mark_proved(request, now=clock.now())
    services.record_sign_in(actor=staff_actor(request), factor=user.otp_device.kind, now=clock.now())


def _rendered(view: View, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    is_part = is_live(request)  # asked first: a list takes the parameter away
    with staff_scope(reach_of(request.user)):
        response = view(request, *args, **kwargs)
        # A template's querysets run when it is rendered: later would be after the scope.
        if isinstance(response, TemplateResponse):
            response.render()
        if is_part:
            response[TAG_HEADER] = current_stops().tag
    return response


# As often as a page asks: an open page sees each board once, a second one costs nothing.
board = Recent(lambda: selectors.dashboard(now=clock.now()), seconds=BOARD_SECONDS)


# What the dashboard shows of every tenant.
_BOARD_PERMISSIONS = (
    "accounts.view_account",
    "orders.view_order",
    "providers.view_connection",
    "webhooks.view_delivery",
)


def _may_see_board(request: HttpRequest) -> bool:
    return request.user.has_perms(_BOARD_PERMISSIONS)


def _board() -> dict[str, Any]:
    # What it shows looks as it does on the rooms' pages, which are registered with this very site.
    from apps.backoffice.board import present

    scope = current_scope()
    return present(board.get(scope.reach.tenants if scope and scope.reach else None))
