"""App configuration of the accounts room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    label = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        """Have accounts closed with the connection that they are read through."""
        from apps.accounts.services import close_accounts
        from apps.providers.needs import register_ending

        register_ending(close_accounts)
