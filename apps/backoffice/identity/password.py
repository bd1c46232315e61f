"""The page on which staff change their own password."""

from typing import Any

from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from unfold.forms import AdminOwnPasswordChangeForm

from apps.backoffice.identity.lockout import locked_out
from apps.core import clock
from apps.core.admin import staff_actor
from apps.core.scope import staff_scope
from apps.users import services as users
from apps.users.errors import InvalidCredentials, LockedOut, PasswordTooWeak
from apps.users.services.staff_sessions import session_id_of


class OwnPasswordForm(AdminOwnPasswordChangeForm):  # type: ignore[misc]  # unfold has no types
    """Asks for the old password and, twice, for the new one."""

    def clean_old_password(self) -> str:
        """Leave the old password to the service, which counts wrong ones."""
        return str(self.cleaned_data["old_password"])


class OwnPasswordView(PasswordChangeView):
    """Changes the password through the service: wrong old ones count towards the lockout, other sessions end."""

    form_class = OwnPasswordForm
    success_url = reverse_lazy("admin:password_change_done")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        """Change it, or say what is wrong."""
        try:
            user = users.change_password(
                request=self.request,
                current_password=form.cleaned_data["old_password"],
                new_password=form.cleaned_data["new_password1"],
                otp=None,  # nobody is here without one
                keep=session_id_of(self.request),
                actor=staff_actor(self.request),
                now=clock.now(),
            )
        except InvalidCredentials:
            form.add_error("old_password", _("This is not your password."))
        except PasswordTooWeak as error:
            form.add_error("new_password2", str(error.message))
        except LockedOut:
            return locked_out(self.request)
        else:
            update_session_auth_hash(self.request, user)
            return HttpResponseRedirect(self.get_success_url())
        return self.form_invalid(form)


def change(request: HttpRequest, context: dict[str, Any]) -> HttpResponseBase:
    """Show and process the page. Outside of a scope: the new password may be compared with those of breaches."""
    response = OwnPasswordView.as_view(extra_context=context)(request)
    if isinstance(response, TemplateResponse):
        with staff_scope():
            response.render()
    return response
