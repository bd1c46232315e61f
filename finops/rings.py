"""New keys for the installation's rings: made, put first, and retired.

Where a ring is a file under FINOPS_HOME, these functions replace it, and every process follows at its next use.
Anywhere else it belongs to the operator's secret store, and they only say what belongs there.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings

from apps.core.keyrings import Ring, keys_of, render_keys
from finops.embedded.home import Home, replace_file
from finops.settings import env

# For this long after a ring has changed its old keys stay: an access token that they signed lives ten minutes, and
# no transaction that began to encrypt with one takes as long.
OVERLAP = timedelta(seconds=settings.ACCESS_TOKEN_SECONDS)


@dataclass(frozen=True, slots=True)
class RingFile:
    """A ring by its name on the command line, the variable that it comes from, and its file if that is ours."""

    name: str
    ring: Ring
    variable: str

    @property
    def file(self) -> Path | None:
        """The file, where it lies in FINOPS_HOME."""
        named, home = getattr(settings, f"{self.ring}_FILE"), env.text("FINOPS_HOME")
        ours = bool(named and home) and Path(named).resolve().is_relative_to(Path(home).resolve())
        return Path(named) if ours else None

    @property
    def is_here(self) -> bool:
        """Whether this process has been given the ring: the one that signs checkpoints is the workers' alone."""
        return bool(getattr(settings, self.ring) or getattr(settings, f"{self.ring}_FILE"))

    @property
    def key_ids(self) -> list[str]:
        """The ids of its keys, the current one first."""
        return list(keys_of(self.ring))

    def with_new_key(self, key_id: str) -> tuple[str, str]:
        """Return the ring with a new key last, so that all can read what it will seal, and then with that key first."""
        keys, new = keys_of(self.ring), {key_id: secrets.token_bytes(32)}
        return render_keys({**keys, **new}), render_keys({**new, **keys})

    def current_alone(self) -> str:
        """Return the ring without its old keys."""
        key_id, key = next(iter(keys_of(self.ring).items()))
        return render_keys({key_id: key})

    def retirable_at(self) -> datetime | None:
        """Return when the overlap of a file's last change ends; None where nobody here knows it."""
        file = self.file
        return datetime.fromtimestamp(file.stat().st_mtime, UTC) + OVERLAP if file else None

    def replace(self, text: str) -> None:
        """Replace the file."""
        assert self.file is not None
        replace_file(self.file, text)


RINGS = (
    RingFile("field", "FIELD_KEYS", "FINOPS_FIELD_KEYS"),
    RingFile("token", "TOKEN_KEYS", "FINOPS_TOKEN_KEYS"),
    RingFile("audit", "AUDIT_KEYS", "FINOPS_AUDIT_KEYS"),
)


def new_key_id(now: datetime) -> str:
    """Return an id that no key has had, and that tells when its key was made."""
    return f"k{now:%Y%m%d%H%M%S}"


def new_secret_key() -> bool:
    """Put a new FINOPS_SECRET_KEY into the home that holds the present one, which is accepted beside it.

    It counts from the next start on. Returns False, with nothing changed, when no home holds it.
    """
    home = Home(Path(env.text("FINOPS_HOME") or "."))
    stored = home.read("secrets.json")
    if stored.get("secret_key") != settings.SECRET_KEY:
        return False
    new, fallbacks = _next_secret()
    home.write("secrets.json", {**stored, "secret_key": new, "secret_key_fallbacks": fallbacks})
    return True


def secret_key_steps() -> tuple[str, str]:
    """Return what the environment says first, so that all accept a new secret, and then, so that it signs."""
    new, fallbacks = _next_secret()
    form = "FINOPS_SECRET_KEY={}\nFINOPS_SECRET_KEY_FALLBACKS={}"
    return form.format(settings.SECRET_KEY, new), form.format(new, fallbacks)


def _next_secret() -> tuple[str, str]:
    return secrets.token_urlsafe(48), ",".join([settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS])
