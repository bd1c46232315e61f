"""What columns, constraints and indexes are, in words: as the models declare them, to be held to the catalogue's."""

import re
from dataclasses import dataclass
from typing import Any

from django.db import connection, models
from django.db.models import F

from apps.core.db import TenantForeignKey

# As the server calls what Django calls otherwise.
_TYPES = {"serial": "integer", "bigserial": "bigint", "smallserial": "smallint"}


@dataclass(frozen=True, slots=True)
class Manner:
    """What a constraint or an index is; `condition` is what it checks, or for which rows it holds."""

    words: str
    condition: str | None = None


def type_of(field: Any) -> str:
    """Return a column's type as PostgreSQL writes it."""
    declared = str(field.db_type(connection))
    declared = re.sub(r"\bvarchar\b", "character varying", declared).replace(", ", ",")
    declared = re.sub(r"\[\d+\]", "[]", declared)  # it keeps no length of an array
    return _TYPES.get(declared, declared)


def manner_of(constraint: models.BaseConstraint | models.Index, model: Any) -> Manner:
    """Return what a model declares."""
    editor = connection.schema_editor(collect_sql=True)
    if isinstance(constraint, TenantForeignKey):
        # "ALTER TABLE ... ADD CONSTRAINT name FOREIGN KEY ..." in the words of pg_get_constraintdef.
        words = str(constraint.create_sql(model, editor)).replace('"', "").partition("FOREIGN KEY")[2]
        words = re.sub(r"REFERENCES (\w+) \(", r"REFERENCES \1(", words).replace(" INITIALLY IMMEDIATE", "")
        return Manner(f"FOREIGN KEY{words}")
    if isinstance(constraint, models.CheckConstraint):
        return Manner("check", constraint._get_check_sql(model, editor))  # type: ignore[attr-defined]
    if isinstance(constraint, models.UniqueConstraint):
        names = [_column(model, name) for name in (*constraint.fields, *constraint.expressions)]
        words = f"unique ({', '.join(names)}){', nulls too' if constraint.nulls_distinct is False else ''}"
        return Manner(words, constraint._get_condition_sql(model, editor))  # type: ignore[attr-defined]
    return Manner("index")


def _column(model: Any, name: Any) -> str:
    if isinstance(name, F):
        name = name.name  # type: ignore[attr-defined]  # the stubs leave it out
    return str(model._meta.get_field(name).column) if isinstance(name, str) else "an expression"
