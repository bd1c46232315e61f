"""What belongs to a tenant's archive: made from the models, so that a new table is in it by itself.

What is secret never leaves. Whatever it leaves behind that would be wrong elsewhere, such as a sync that seems to run,
is written as it has to be there. Each exception stands here with its reason, and the manifest repeats it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import models
from django.db.migrations.recorder import MigrationRecorder

from apps.core.tenancy import GLOBAL_TABLES

TENANTS = "tenants_tenant"
# Tables of the tenant that stay behind, and why.
LEFT_OUT = {
    "audit_subject_key": "secret: what the audit log has sealed of people stays sealed, and erased where it was",
    "providers_credentials": "secret: connections need their credentials anew",
    "webhooks_endpointsecret": "secret: endpoints need a new one",
    "idempotency_record": "ephemeral: answers kept for replay, some of them secret",
    "jobs_job": "work in progress belongs to the installation that does it",
    "users_session": "sessions end where they were begun",
    "tenants_impersonation": "staff's own, and it names them; the audit log, which goes along, tells of each",
    "audit_checkpoint": "signed in the name of the installation that it leaves; the other one signs the same leaves",
    "core_readonlyswitch": "a switch of the installation that it stands in",
}
# Columns that stay behind, and what an import puts in their place: a hash that nothing hashes to, a password that none
# fits. Columns of bytes that are not listed here or below stay behind as well, and are empty after an import.
_NOTHING_HASHES_TO_IT = "sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'))"
WITHHELD = {
    ("tenants_apikey", "secret_hash"): _NOTHING_HASHES_TO_IT,
    ("tenants_invitation", "token_hash"): _NOTHING_HASHES_TO_IT,
}
OPEN_BYTES = {
    ("audit_entry", "leaf_hash"),
    ("audit_tile", "hashes"),
    ("audit_tile", "root_hash"),
    ("audit_batch_chunk", "row_ids"),
    ("audit_batch_chunk", "row_hashes"),
    ("audit_batch_chunk", "root_hash"),
    ("providers_inboundhook", "body"),
    ("providers_refusedhook", "excerpt"),
}
# What is written in the place of a column's value: SQL over the row.
_IS_LIVE_CONNECTION, _RUNS = "status <> 'disabled'", "status IN ('queued', 'running')"
REWRITTEN: Mapping[tuple[str, str], str] = {
    ("audit_counter", "checkpoint_size"): "0",
    ("audit_counter", "checkpoint_at"): "NULL::timestamptz",
    ("tenants_apikey", "revoked_at"): "coalesce(revoked_at, transaction_timestamp())",
    ("providers_connection", "status"): f"CASE WHEN {_IS_LIVE_CONNECTION} THEN 'needs_attention' ELSE status END",
    ("providers_connection", "status_code"): f"CASE WHEN {_IS_LIVE_CONNECTION} THEN 'credentials_left_out' "
    "ELSE status_code END",
    ("providers_connection", "status_message"): f"CASE WHEN {_IS_LIVE_CONNECTION} THEN 'Its credentials were not "
    "exported.' ELSE status_message END",
    ("providers_connection", "next_sync_at"): "NULL::timestamptz",
    ("providers_syncrun", "status"): f"CASE WHEN {_RUNS} THEN 'failed' ELSE status END",
    ("providers_syncrun", "error"): f"CASE WHEN {_RUNS} THEN jsonb_build_object('code', 'exported', 'message', "
    "'The tenant was exported while it ran.') ELSE error END",
    ("providers_syncrun", "finished_at"): f"CASE WHEN {_RUNS} THEN coalesce(started_at, created_at) "
    "ELSE finished_at END",
    ("webhooks_endpoint", "status"): "'disabled'",
    ("webhooks_endpoint", "disabled_reason"): "CASE WHEN status = 'enabled' THEN 'secret_left_out' "
    "ELSE disabled_reason END",
    ("webhooks_endpoint", "held_until"): "NULL::timestamptz",
    ("webhooks_recovery", "finished_at"): "coalesce(finished_at, begun_at)",
    ("webhooks_delivery", "status"): "CASE WHEN status = 'pending' THEN 'discarded' ELSE status END",
    ("webhooks_delivery", "next_attempt_at"): "NULL::timestamptz",
    ("webhooks_delivery", "leased_until"): "NULL::timestamptz",
    ("webhooks_delivery", "finished_at"): "CASE WHEN status = 'pending' THEN created_at ELSE finished_at END",
}
# Global tables that a tenant's rows refer to: which of their columns go along (none named: all).
SHARED: Mapping[str, tuple[str, ...]] = {
    "users_user": ("id", "username", "display_name", "email", "is_active", "date_joined"),
    "market_instrument": (),
}
_FITS_NONE = "'!' || gen_random_uuid()::text"


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the archive: its columns, the SQL that writes each, the condition on its rows (of `%(tenant)s`).

    `filled` is the SQL that an import puts into the columns that stayed behind. Rows of a `shared` table may be there
    before.
    """

    name: str
    columns: Mapping[str, str]
    rows: str
    filled: Mapping[str, str]
    shared: bool = False
    sequences: tuple[tuple[str, str], ...] = ()

    @property
    def query(self) -> str:
        """The statement that reads its rows as JSON, in the order of their ids."""
        expressions = ", ".join(f"{sql} AS {name}" for name, sql in self.columns.items())
        return (
            f"SELECT row_to_json(exported)::text FROM (SELECT {expressions} FROM {self.name} "  # noqa: S608  (our names)
            f"WHERE {self.rows} ORDER BY {self.name}.id) AS exported"
        )


def tables() -> list[Table]:
    """Return the tables of an archive: what the tenant's rows refer to, the tenant itself, and all that is its own."""
    own = {model._meta.db_table: model for model in apps.get_models() if _is_of_tenant(model)}
    shared: dict[str, list[str]] = {}
    for model in own.values():
        for field in _fields(model):
            target = field.related_model._meta.db_table if field.is_relation else ""
            if target and target not in own:
                used = f"SELECT {field.column} FROM {model._meta.db_table} WHERE {_rows_of(model)}"  # noqa: S608  (as above)
                shared.setdefault(target, []).append(used)
    by_table = {model._meta.db_table: model for model in apps.get_models()}
    found = [_shared_table(by_table[name], " UNION ".join(sorted(used))) for name, used in sorted(shared.items())]
    return found + [_own_table(own[name]) for name in sorted(own, key=lambda name: (name != TENANTS, name))]


def schema() -> dict[str, str]:
    """Return the last migration of each app with a table in the archive: two installations have the same tables."""
    names = {table.name for table in tables()}
    labels = {model._meta.app_label for model in apps.get_models() if model._meta.db_table in names}
    applied = MigrationRecorder.Migration.objects.filter(app__in=labels).order_by("app", "name")
    return dict(applied.values_list("app", "name"))


def _is_of_tenant(model: type[models.Model]) -> bool:
    name = model._meta.db_table
    has_tenant = any(field.column == "tenant_id" for field in model._meta.concrete_fields)
    return name == TENANTS or (has_tenant and name not in GLOBAL_TABLES and name not in LEFT_OUT)


def _fields(model: type[models.Model]) -> list[Any]:
    return list(model._meta.concrete_fields)


def _rows_of(model: type[models.Model]) -> str:
    return "id = %(tenant)s" if model._meta.db_table == TENANTS else "tenant_id = %(tenant)s"


def _own_table(model: type[models.Model]) -> Table:
    name = model._meta.db_table
    columns, filled, sequences = {}, {}, []
    for field in _fields(model):
        place = (name, field.column)
        if place in WITHHELD or (isinstance(field, models.BinaryField) and place not in OPEN_BYTES):
            filled[field.column] = WITHHELD.get(place, "NULL")
        else:
            columns[field.column] = REWRITTEN.get(place, f"{name}.{field.column}")
        sequence = _sequence_of(field)
        if sequence:
            sequences.append((field.column, sequence))
    return Table(name, columns, _rows_of(model), filled, sequences=tuple(sequences))


def _shared_table(model: type[models.Model], used: str) -> Table:
    name = model._meta.db_table
    named = SHARED[name] or tuple(field.column for field in _fields(model))
    filled = {
        field.column: _FITS_NONE if field.column == "password" else _default_of(field)
        for field in _fields(model)
        if field.column not in named
    }
    return Table(name, {column: f"{name}.{column}" for column in named}, f"id IN ({used})", filled, shared=True)


def _default_of(field: Any) -> str:
    value = field.get_default()
    return "NULL" if value is None else str(value).lower() if isinstance(value, bool) else f"'{value}'"


def _sequence_of(field: Any) -> str:
    """Return the sequence that numbers a column, such as audit_entry_position."""
    default = field.db_default if field.has_db_default() else None
    if isinstance(default, models.Func) and default.extra.get("function") == "nextval":
        return str(default.get_source_expressions()[0].value)
    return ""
