"""App configuration of the core room."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from apps.core import money


class CoreConfig(AppConfig):
    name = "apps.core"
    label = "core"

    def ready(self) -> None:
        from apps.core import drift  # noqa: F401  (registers its checks)
        from apps.core.db.grants import grant_global_tables

        money.set_decimal_context()
        # Infrastructure, not business logic: third-party tables have no migration of ours to carry their grants.
        post_migrate.connect(grant_global_tables, sender=self, dispatch_uid="core.grant_global_tables")
