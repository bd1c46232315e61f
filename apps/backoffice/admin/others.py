"""Pages of other packages that ours take the place of: they write past our services, or show what nobody needs."""

from django.contrib import admin
from django.db.models import Model


def unregister(*models: type[Model]) -> None:
    """Take the models' pages out of the admin, where they have any."""
    for model in models:
        if admin.site.is_registered(model):
            admin.site.unregister(model)
