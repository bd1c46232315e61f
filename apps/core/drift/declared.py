"""What the code declares of the database's protection, read from the statements that declare it.

The SQL of our migrations and of the list of global tables is replayed on paper. A statement that is not understood is
an error: what it changes would otherwise be taken for drift, or for none.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import RunSQL

from apps.core.db.grants import statements_for
from apps.core.tenancy import GLOBAL_TABLES

# Changes neither who may do what nor what holds.
_WITHOUT_PROTECTION = re.compile(
    r"CREATE (UNIQUE )?(INDEX|SEQUENCE)|DROP INDEX|DO \$body\$"
    r"|ALTER TABLE \w+ (ALTER COLUMN \w+ SET (STORAGE|STATISTICS)|(RE)?SET \()"
)
_GRANT = re.compile(r"(GRANT|REVOKE) (.+?) ON (?:(TABLE|SEQUENCE|FUNCTION) )?(\w+)(?:\([^)]*\))? (?:TO|FROM) (.+)$")
_POLICY = re.compile(
    r"CREATE POLICY (\w+) ON (\w+)(?: AS (PERMISSIVE|RESTRICTIVE))?(?: FOR (\w+))? TO ([\w, ]+?)"
    r"(?= USING| WITH CHECK|$)(?: USING \((?P<using>.+?)\))?(?: WITH CHECK \((?P<check>.+)\))?$"
)
_DROP_POLICY = re.compile(r"DROP POLICY (?:IF EXISTS )?(\w+) ON (\w+)")
_CONSTRAINT = re.compile(r"ALTER TABLE (\w+) ADD CONSTRAINT (\w+) ")
_SECURITY = re.compile(r"ALTER TABLE (\w+) (ENABLE|DISABLE|FORCE|NO FORCE) ROW LEVEL SECURITY")
_FUNCTION = re.compile(
    r"CREATE FUNCTION (\w+)\((.*?)\) RETURNS (.+?) LANGUAGE (\w+)(.*?) AS \$body\$(.*)\$body\$$", re.S
)
_TRIGGER = re.compile(r"CREATE (CONSTRAINT )?TRIGGER (\w+) (BEFORE|AFTER|INSTEAD OF) (.+?) ON (\S+) (.+)$")
_PRIVILEGE = re.compile(r"(\w+)(?: \(([^)]*)\))?")
_ALL = {
    "table": ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"),
    "sequence": ("USAGE", "SELECT", "UPDATE"),
    "function": ("EXECUTE",),
}

Grant = tuple[str, str, str, str]
"""A kind of object, its name, with a dot the column, the privilege and the role."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as it is declared or stored; an expression is None where there is none."""

    table: str
    name: str
    is_permissive: bool
    command: str
    roles: tuple[str, ...]
    using: str | None
    check: str | None

    @property
    def manner(self) -> str:
        """Return all of it but the expressions."""
        kind = "permissive" if self.is_permissive else "restrictive"
        return f"{kind} for {self.command} to {', '.join(self.roles)}"


@dataclass(slots=True)
class Protection:
    """Row security by table, policies and triggers by (table, name), grants, functions by name; named constraints."""

    security: dict[str, set[str]] = field(default_factory=dict)
    policies: dict[tuple[str, str], Policy] = field(default_factory=dict)
    grants: set[Grant] = field(default_factory=set)
    triggers: dict[tuple[str, str], str] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    constraints: set[tuple[str, str]] = field(default_factory=set)

    def replay(self, statement: str) -> None:
        """Take over what one statement does.

        Raises:
            ValueError: it is not understood.
        """
        text = statement.strip() if "$body$" in statement else " ".join(statement.split())
        readers = (self._grant, self._policy, self._drop_policy, self._secure, self._function, self._trigger)
        if not any(reader(text) for reader in (*readers, self._constraint)) and not _WITHOUT_PROTECTION.match(text):
            raise ValueError(f"what a migration declares is not understood: {text[:200]}")

    def _grant(self, text: str) -> bool:
        if not (found := _GRANT.match(text)):
            return False
        verb, privileges, kind, name, roles = found.groups()
        kind = (kind or "table").lower()
        for named in _names(roles):
            role = "PUBLIC" if named.upper() == "PUBLIC" else named
            if verb == "REVOKE":
                gone = set(_privileges(kind, name, privileges, role))
                self.grants -= {grant for grant in self.grants if grant in gone or _is_within(grant, gone)}
            else:
                self.grants.update(_privileges(kind, name, privileges, role))
        return True

    def _policy(self, text: str) -> bool:
        if not (found := _POLICY.match(text)):
            return False
        name, table, manner, command, roles = found.group(1, 2, 3, 4, 5)
        using, check = found.group("using", "check")
        kind = (command or "ALL").upper()
        policy = Policy(table, name, manner != "RESTRICTIVE", kind, tuple(sorted(_names(roles))), using, check)
        self.policies[table, name] = policy
        return True

    def _drop_policy(self, text: str) -> bool:
        if found := _DROP_POLICY.match(text):
            name, table = found.groups()
            self.policies.pop((table, name), None)
        return found is not None

    def _secure(self, text: str) -> bool:
        if found := _SECURITY.match(text):
            table, verb = found.groups()
            words = self.security.setdefault(table, set())
            word = "enabled" if verb in ("ENABLE", "DISABLE") else "forced"
            (words.add if verb in ("ENABLE", "FORCE") else words.discard)(word)
        return found is not None

    def _constraint(self, text: str) -> bool:
        if found := _CONSTRAINT.match(text):
            table, name = found.groups()
            self.constraints.add((table, name))
        return found is not None

    def _function(self, text: str) -> bool:
        if not (found := _FUNCTION.match(text)):
            return False
        name, _arguments, _returns, language, options, body = found.groups()
        path = re.search(r"SET search_path = ([\w, ]+)", options)
        self.functions[name] = function_text(
            language, "SECURITY DEFINER" in options, path.group(1) if path else "", body
        )
        self.grants.add(("function", name, "EXECUTE", "PUBLIC"))  # until it is revoked, as the server does
        return True

    def _trigger(self, text: str) -> bool:
        normal = trigger_text(text)
        if normal:
            table, name, words = normal
            self.triggers[table, name] = words
        return bool(normal)


@lru_cache
def protection() -> Protection:
    """Return what the code declares.

    Raises:
        ValueError: a statement is not understood.
    """
    declared = Protection()
    for statement in _statements():
        declared.replay(statement)
    return declared


def function_text(language: str, is_definer: bool, search_path: str, body: str) -> str:
    """Return a function in the words in which functions are compared."""
    rights = "as its owner" if is_definer else "as who calls it"
    return f"{language}, {rights}, search path {search_path or 'not set'}, body {' '.join(body.split())}"


def trigger_text(definition: str) -> tuple[str, str, str] | None:
    """Return a trigger's table, its name and the rest in the words in which triggers are compared."""
    found = _TRIGGER.match(" ".join(definition.replace("public.", "").split()))
    if not found:
        return None
    constraint, name, when, events, table, rest = found.groups()
    ordered = " OR ".join(sorted(event.strip() for event in events.split(" OR ")))
    return table, name, f"{constraint or ''}{when} {ordered} {rest}"


def _statements() -> Iterator[str]:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    for key in loader.graph.nodes:
        migration = loader.disk_migrations[key]
        for operation in migration.operations if migration.__module__.startswith("apps.") else ():
            if isinstance(operation, RunSQL):
                yield from map(str, [operation.sql] if isinstance(operation.sql, str) else operation.sql)
    for table, entry in sorted(GLOBAL_TABLES.items()):
        yield from statements_for(table, entry)


def _privileges(kind: str, name: str, text: str, role: str) -> Iterator[Grant]:
    if re.match(r"ALL\b", text):
        yield from ((kind, name, privilege, role) for privilege in _ALL[kind])
        return
    for privilege, columns in _PRIVILEGE.findall(text):
        for column in _names(columns) or [""]:
            yield kind, f"{name}.{column}" if column else name, privilege.upper(), role


def _is_within(grant: Grant, gone: set[Grant]) -> bool:
    """Tell whether a privilege on a column went with the one on its table."""
    kind, name, privilege, role = grant
    return (kind, name.partition(".")[0], privilege, role) in gone


def _names(text: str) -> list[str]:
    return [name for name in re.split(r"[\s,]+", text.strip()) if name]
