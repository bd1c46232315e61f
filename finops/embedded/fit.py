"""Whether the database that a home holds was built by the migrations that the code has now."""

from __future__ import annotations

import hashlib
import io
import tokenize
from pathlib import Path

import psycopg

from finops.embedded.errors import EmbeddedError
from finops.embedded.home import Home

RECORD = "migrations.json"
SCHEMA = "schema.json"
# What shapes the database besides our migrations: others' migrations by their versions, and the grants.
_SHAPING = ("requirements/base.txt", "finops/settings/base.py", "apps/core/tenancy.py", "apps/core/db/*.py")
_IRRELEVANT = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING}


def migration_hashes(project: Path) -> dict[str, str]:
    """Return a hash for each of our migrations by `app/name`; comments and blank lines do not count."""
    files = sorted(project.glob("apps/*/migrations/[0-9]*.py"))
    return {f"{file.parents[1].name}/{file.stem}": _hash(file.read_text(encoding="utf-8")) for file in files}


def require_fit(home: Home, project: Path) -> None:
    """Check that every migration once applied is still there, unchanged.

    Raises: EmbeddedError.
    """
    now = migration_hashes(project)
    changed = [name for name, value in home.read(RECORD).items() if now.get(name) != value]
    if changed:
        raise EmbeddedError(
            f"The database in {home.path} was built by migrations that have changed since ({changed[0]}): "
            f"run 'make reset' to start with a new one, which deletes its data."
        )


def is_current(home: Home, project: Path, database_url: str) -> bool:
    """Return whether migrating would change nothing, without the seconds that Django takes to find out."""
    if home.read(SCHEMA).get("digest") != schema_digest(project):
        return False
    try:
        with psycopg.connect(database_url, connect_timeout=10) as connection:
            applied = connection.execute("SELECT app || '/' || name FROM django_migrations").fetchall()
    except psycopg.errors.UndefinedTable:
        return False
    return {name for (name,) in applied} >= migration_hashes(project).keys()


def remember_fit(home: Home, project: Path) -> None:
    """Record the migrations that have just been applied."""
    home.write(RECORD, migration_hashes(project))
    home.write(SCHEMA, {"digest": schema_digest(project)})


def schema_digest(project: Path) -> str:
    """Return a digest of all that a migrated database follows from."""
    digest = hashlib.sha256(repr(sorted(migration_hashes(project).items())).encode())
    for file in sorted(path for pattern in _SHAPING for path in project.glob(pattern)):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _hash(source: str) -> str:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    relevant = "\0".join(token.string for token in tokens if token.type not in _IRRELEVANT)
    return hashlib.sha256(relevant.encode()).hexdigest()
