"""The kill switches that are engaged, for the banner on every page: one short query."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from django.db.models import CharField, F, OuterRef, Subquery, UUIDField, Value
from django.db.models.functions import Cast
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.core.admin import moment as age
from apps.orders.models import InstallationKillSwitch, KillSwitch
from apps.tenants.models import Tenant

TAG_HEADER = "Finops-Stops"
_SHOWN = 5
_AT_MOST = 200


@dataclass(frozen=True, slots=True)
class Stop:
    """An engaged switch: whose it is, and why. Without a tenant it is the installation's."""

    tenant_id: UUID | None
    tenant: str
    account: str
    reason: str
    changed_by: str
    at: datetime

    @property
    def name(self) -> str:
        """Return whose trading is stopped."""
        if self.tenant_id is None:
            return _("The whole installation")
        return f"{self.tenant}, {self.account}" if self.account else self.tenant

    @property
    def moment(self) -> SafeString:
        """Return how long ago it was engaged or last changed."""
        return age(self.at)


@dataclass(frozen=True, slots=True)
class Stops:
    """What the banner says. `tag` changes with what is stopped."""

    engaged: Sequence[Stop]

    @property
    def shown(self) -> Sequence[Stop]:
        """Return the switches that the banner names, the widest first."""
        return self.engaged[:_SHOWN]

    @property
    def more(self) -> int:
        """Return how many others there are."""
        return max(0, len(self.engaged) - _SHOWN)

    @property
    def is_all(self) -> bool:
        """Tell whether nobody can trade."""
        return any(stop.tenant_id is None for stop in self.engaged)

    @property
    def url(self) -> str:
        """Return where the switches are."""
        return reverse("admin:kill_switch")

    @property
    def tag(self) -> str:
        """Return a short tag of what is stopped and why."""
        return sha256(repr(self.engaged).encode()).hexdigest()[:16] if self.engaged else "none"


def current_stops() -> Stops:
    """Return what is stopped now; call it in a staff scope."""
    slug = Tenant.objects.filter(pk=OuterRef("tenant_id")).values("slug")[:1]
    nobody = Cast(Value(None), UUIDField())
    columns = ("whose", "slug", "account_name", "reason", "changed_by", "updated_at")
    own = KillSwitch.objects.filter(engaged=True).annotate(
        whose=F("tenant_id"), slug=Subquery(slug), account_name=F("account__name")
    )
    everybody = InstallationKillSwitch.objects.filter(engaged=True).annotate(
        whose=nobody, slug=Value("", output_field=CharField()), account_name=Value("", output_field=CharField())
    )
    rows = everybody.values_list(*columns).union(own.values_list(*columns), all=True)[:_AT_MOST]
    engaged = [Stop(whose, tenant or "", account or "", *rest) for whose, tenant, account, *rest in rows]
    return Stops(sorted(engaged, key=lambda stop: (stop.tenant_id is not None, stop.account != "", stop.name)))
