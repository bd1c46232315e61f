"""What a password must be: long enough, and not what everybody tries first (NIST SP 800-63B-4, 3.1.1.2).

There are no rules of composition and no forced changes. What is worth guessing is counted in characters: a common
password inside of a longer one counts as three, a walk over the keyboard or a year as two, what is repeated or is the
user's own name as one. "Password12345678" has sixteen characters and is worth five.
"""

import gzip
import re
import unicodedata
from collections.abc import Collection
from functools import cache
from pathlib import Path

from django.conf import settings
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django_otp import user_has_device

from apps.users.models import User

MINIMUM, MINIMUM_WITH_SECOND_FACTOR, MAXIMUM = 15, 8, 1024
# The twenty thousand most common passwords, in small letters: Django ships them.
_LIST = Path(password_validation.__file__).with_name("common-passwords.txt.gz")
_LONGEST_PIECE, _SHORTEST_WORD, _SHORTEST_WALK = 20, 4, 3
_LOOK_ALIKES = str.maketrans("013457@$!", "oleastasi")
_WALKS = (
    "01234567890",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop[]",
    "asdfghjkl;'",
    "zxcvbnm,./",
    "qwertzuiop",
    "azertyuiop",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "qazwsxedcrfvtgbyhnujmikolp",
)
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
_WORD, _WALK, _OWN, _REPEATED = 3, 2, 1, 1


class PasswordRule:
    """The rule as Django's forms and commands ask for it (AUTH_PASSWORD_VALIDATORS)."""

    def validate(self, password: str, user: User | None = None) -> None:
        """Accept a password for a user, stored or not; fifteen characters, or eight beside a second factor.

        Raises:
            ValidationError: it says what is wrong.
        """
        minimum = _minimum(user)
        if len(password) < minimum:
            text = _("The password is too short: it needs %(minimum)s characters. A sentence is fine.")
            raise ValidationError(text % {"minimum": minimum}, code="too_short")
        if len(password) > MAXIMUM:
            text = _("The password is too long: it has %(maximum)s characters at most.")
            raise ValidationError(text % {"maximum": MAXIMUM}, code="too_long")
        enough = minimum * 2 // 3
        if worth(password) < enough:
            text = _("The password is made of common passwords, walks over the keyboard or repetitions.")
            raise ValidationError(text, code="too_common")
        if worth(password, own_words(user)) < enough:
            text = _("The password is made of your name, your e-mail address or the name of this service.")
            raise ValidationError(text, code="too_similar")

    def get_help_text(self) -> str:
        """Return what to tell before a choice."""
        text = _("At least %(minimum)s characters, or %(fewer)s beside a second factor. A sentence is fine.")
        return text % {"minimum": MINIMUM, "fewer": MINIMUM_WITH_SECOND_FACTOR}


def worth(password: str, own: Collection[str] = ()) -> int:
    """Return how many characters of a password have to be guessed, by the cheapest way to put it together."""
    text = unicodedata.normalize("NFKC", password).casefold()
    plain = text.translate(_LOOK_ALIKES)
    best = [0]
    for end in range(1, len(text) + 1):
        ways = [best[end - 1] + 1]
        for start in range(max(0, end - _LONGEST_PIECE), end - 1):
            cost = _cost(text, plain, start, end, own)
            if cost is not None:
                ways.append(best[start] + cost)
        best.append(min(ways))
    return best[-1]


def _cost(text: str, plain: str, start: int, end: int, own: Collection[str]) -> int | None:
    """Return what a piece counts; None if it is nothing that is known."""
    piece, length = text[start:end], end - start
    if piece in own:
        return _OWN
    if text.find(piece, 0, start) >= 0:
        return _REPEATED
    if _YEAR.fullmatch(piece) or (length >= _SHORTEST_WALK and any(piece in walk for walk in _walks())):
        return _WALK
    if length >= _SHORTEST_WORD and not _common().isdisjoint((piece, plain[start:end])):
        return _WORD
    return None


def own_words(user: User | None) -> set[str]:
    """Return the words that are no secret about a user, and the name of the service, in small letters."""
    texts = [settings.OTP_TOTP_ISSUER]
    if user is not None:
        texts += [user.username, user.email, user.display_name]
    words = {word for text in texts for word in [text, *re.split(r"[\W_]+", text)]}
    return {word.casefold() for word in words if len(word) >= _SHORTEST_WORD}


def _minimum(user: User | None) -> int:
    has_second_factor = user is not None and not user._state.adding and user_has_device(user)
    return MINIMUM_WITH_SECOND_FACTOR if has_second_factor else MINIMUM


@cache
def _common() -> frozenset[str]:
    with gzip.open(_LIST, "rt", encoding="utf-8") as lines:
        return frozenset(line.strip() for line in lines)


@cache
def _walks() -> tuple[str, ...]:
    return tuple(walk for way in _WALKS for walk in (way, way[::-1]))
