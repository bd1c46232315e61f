"""The embedded settings, with order intake that leaves the audit leaf out."""

from typing import Any

from django.apps import AppConfig

from apps.core.db.statements import Statement
from finops.settings.embedded import *  # noqa: F403  (a settings module is its base plus what differs)


class WithoutAudit(AppConfig):
    """Takes the leaf out of the statement that stores an order."""

    name = "benchmarks.baselines"
    label = "without_audit"

    def ready(self) -> None:
        """Put a statement that does nothing in the leaf's place."""
        from apps.orders.services.intake import writing

        vars(writing)["record_statement"] = _no_leaf


def _no_leaf(**_leaf: Any) -> Statement:
    return Statement("SELECT 1")


INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks.baselines.without_audit.WithoutAudit"]  # noqa: F405
