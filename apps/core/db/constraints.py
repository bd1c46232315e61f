"""The composite foreign key that keeps references inside one tenant."""

from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement, Table

_CREATE = (
    "CONSTRAINT {name} FOREIGN KEY ({columns}) REFERENCES {table} ({targets}){on_delete} DEFERRABLE INITIALLY {when}"
)


class TenantForeignKey(models.BaseConstraint):
    """FOREIGN KEY (tenant_id, <field>) REFERENCES <to> (tenant_id, id).

    Row-level security does not guard foreign keys: without the tenant in the key a row could point into another
    tenant. Use it beside `ForeignKey(..., db_constraint=False)`. With `field="tenant_id"` it is the plain
    reference to the tenant itself. `on_delete` is SQL: "" (restrict) or "CASCADE".
    """

    def __init__(self, *, field: str, to: str, name: str, on_delete: str = "", deferred: bool = False) -> None:
        super().__init__(name=name)
        self.field, self.to, self.on_delete, self.deferred = field, to, on_delete, deferred

    def constraint_sql(self, model: type[models.Model] | None, schema_editor: BaseDatabaseSchemaEditor | None) -> str:
        """Add the key at the migration's end, as Django does with its own: the key that it refers to comes later."""
        assert schema_editor is not None
        schema_editor.deferred_sql.append(self.create_sql(model, schema_editor))
        return ""

    def _definition(self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor) -> str:
        quote = schema_editor.quote_name
        column = str(model._meta.get_field(self.field).column)  # type: ignore[union-attr]  # a concrete field
        composite = column != "tenant_id"
        target = model._meta.apps.get_model(self.to)
        return _CREATE.format(
            name=quote(self.name),
            columns=f"tenant_id, {quote(column)}" if composite else "tenant_id",
            table=quote(target._meta.db_table),
            targets="tenant_id, id" if composite else "id",
            on_delete=f" ON DELETE {self.on_delete}" if self.on_delete else "",
            when="DEFERRED" if self.deferred else "IMMEDIATE",
        )

    def create_sql(  # type: ignore[override]  # Django returns its deferred Statement, the stubs say str
        self, model: type[models.Model] | None, schema_editor: BaseDatabaseSchemaEditor | None
    ) -> Statement:
        assert model is not None
        assert schema_editor is not None
        return Statement(
            "ALTER TABLE %(table)s ADD %(definition)s",
            table=Table(model._meta.db_table, schema_editor.quote_name),
            definition=self._definition(model, schema_editor),
        )

    def remove_sql(  # type: ignore[override]  # as above
        self, model: type[models.Model] | None, schema_editor: BaseDatabaseSchemaEditor | None
    ) -> Statement:
        assert model is not None
        assert schema_editor is not None
        return Statement(
            "ALTER TABLE %(table)s DROP CONSTRAINT %(name)s",
            table=Table(model._meta.db_table, schema_editor.quote_name),
            name=schema_editor.quote_name(self.name),
        )

    def validate(self, *args: Any, **kwargs: Any) -> None:
        """Leave the check to the database: it alone sees other transactions."""

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        kwargs: dict[str, Any] = {"field": self.field, "to": self.to, "name": self.name}
        if self.on_delete:
            kwargs["on_delete"] = self.on_delete
        if self.deferred:
            kwargs["deferred"] = True
        return "apps.core.db.TenantForeignKey", (), kwargs

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TenantForeignKey) and self.deconstruct() == other.deconstruct()

    def __hash__(self) -> int:
        return hash(self.name)
