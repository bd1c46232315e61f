"""Identity: users of the platform, staff and members alike."""

from django.contrib.auth.models import AbstractUser
from django.db import models

from apps.core.ids import new_id
from apps.core.retention import Retention


class User(AbstractUser):
    """A person who signs in. Staff work in the admin; members belong to tenants."""

    retention = Retention.IDENTITY
    personal_fields = ("username", "first_name", "last_name", "email")
    data_subject = "id"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
