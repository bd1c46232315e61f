"""Values that columns of the users room take."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class PasskeyPurpose(models.TextChoices):
    """What a challenge is for; an answer to one is none to another."""

    REGISTER = "register", _("register")
    SIGN_IN = "sign_in", _("sign in")
    PROVE = "prove", _("prove")
