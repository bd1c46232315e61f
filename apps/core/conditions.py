"""Conditions under which somebody holds a permission: small pure functions of who asks, for what, and when.

What a condition has to know and does not, fails it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from django.utils.translation import gettext as _

from apps.core.money import plain

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
StartTime = Annotated[str, msgspec.Meta(pattern=r"\A([01][0-9]|2[0-3]):[0-5][0-9]\Z")]
# 24:00 is a day's end.
EndTime = Annotated[str, msgspec.Meta(pattern=r"\A(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)\Z")]
# The same place on every machine: not this one's own clock, nor what few machines have.
_PLACE = r"\A(?!(localtime|posixrules|Factory)\Z|(posix|right)/)[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*\Z"
ZoneName = Annotated[str, msgspec.Meta(pattern=_PLACE, max_length=64)]
PositiveAmount = Annotated[str, msgspec.Meta(pattern=r"\A(?=.*[1-9])[0-9]{1,20}(\.[0-9]{1,18})?\Z")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What somebody asks about or acts upon, as conditions see it; None: it is not known.

    `account_id` is the account that it is or belongs to, `made_by` the user or the API key that made it, `amount` its
    worth in its account's currency, `is_live` whether real money moves.
    """

    type: str
    id: UUID | None = None
    account_id: UUID | None = None
    made_by: UUID | None = None
    amount: Decimal | None = None
    is_live: bool | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks (a user's or an API key's id), about what, when."""

    by: UUID | None
    resource: Resource | None
    now: datetime


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type"):
    """What must hold, beside having the permission. One that `needs_resource` is judged where that is known."""

    needs_resource: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """The condition's type, as it is stored and told."""
        return str(self.__struct_config__.tag)

    def holds(self, asked: Asked) -> bool:
        """Tell whether the condition holds of what is asked."""
        raise NotImplementedError

    def text(self) -> str:
        """Return what the condition asks for, for people."""
        raise NotImplementedError


class OwnResource(Condition, frozen=True, tag="own"):
    """Only what the acting member made."""

    needs_resource = True

    def holds(self, asked: Asked) -> bool:
        return asked.resource is not None and is_own(asked.resource.made_by, by=asked.by)

    def text(self) -> str:
        return _("only what they placed themselves")


class AmountBelow(Condition, frozen=True, tag="amount_below"):
    """Only amounts below one, in the currency of the account."""

    amount: PositiveAmount

    needs_resource = True

    def holds(self, asked: Asked) -> bool:
        return asked.resource is not None and is_below(asked.resource.amount, limit=Decimal(self.amount))

    def text(self) -> str:
        return _("only amounts below %(amount)s in the account's currency") % {"amount": plain(Decimal(self.amount))}


class OfficeHours(Condition, frozen=True, tag="hours", rename={"start": "from", "end": "to"}):
    """Only on these days, from one time of the day to another, by the clocks of a place.

    Where they end no later than they start, they go on past midnight.
    """

    time_zone: ZoneName
    days: Annotated[tuple[Day, ...], msgspec.Meta(min_length=1, max_length=7)]
    start: StartTime
    end: EndTime

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.time_zone)
        except (OSError, ValueError, LookupError) as error:
            raise ValueError(_("There is no such time zone.")) from error

    def holds(self, asked: Asked) -> bool:
        return is_within_hours(asked.now, time_zone=self.time_zone, days=self.days, start=self.start, end=self.end)

    def text(self) -> str:
        names = dict(zip(DAYS, (_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun")), strict=True))
        days = ", ".join(str(names[day]) for day in DAYS if day in self.days)
        told = {"days": days, "start": self.start, "end": self.end, "zone": self.time_zone}
        return _("only on %(days)s from %(start)s to %(end)s (%(zone)s)") % told


AnyCondition = OwnResource | AmountBelow | OfficeHours
Conditions = dict[str, tuple[AnyCondition, ...]]
_decoder = msgspec.json.Decoder(Conditions)


def decode_conditions(stored: str) -> Conditions:
    """Return conditions by permission from the JSON that they are stored as."""
    return _decoder.decode(stored)


def read_conditions(data: Any) -> Conditions:
    """Return conditions by permission from JSON data.

    Raises:
        msgspec.ValidationError: it is something else.
    """
    return msgspec.convert(data, Conditions)


def conditions_as_json(conditions: Conditions) -> dict[str, Any]:
    """Return conditions as they are stored and told."""
    told: dict[str, Any] = msgspec.to_builtins(conditions)
    return told


def is_own(made_by: UUID | None, *, by: UUID | None) -> bool:
    """Tell whether somebody made it; what nobody is known to have made is nobody's own."""
    return made_by is not None and made_by == by


def is_below(amount: Decimal | None, *, limit: Decimal) -> bool:
    """Tell whether an amount lies below a limit; one that is not known does not."""
    return amount is not None and abs(amount) < limit


def is_within_hours(now: datetime, *, time_zone: str, days: Sequence[str], start: str, end: str) -> bool:
    """Tell whether the clocks of a place show a time from `start` up to, not including, `end`, on one of the days.

    A night shift belongs to the day on which it starts. The clocks decide: an hour that they skip never comes, one
    that they repeat counts twice.
    """
    local = now.astimezone(ZoneInfo(time_zone))
    at, today, yesterday = f"{local:%H:%M}", DAYS[local.weekday()], DAYS[local.weekday() - 1]
    if start < end:
        return today in days and start <= at < end
    return (today in days and at >= start) or (yesterday in days and at < end)
