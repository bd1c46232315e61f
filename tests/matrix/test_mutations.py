"""The matrix notices whatever is taken away from it: each policy, grant and foreign key is dropped or opened in turn.

Each mutant lives in a transaction of the owner that is rolled back, with the cells of its own table run inside.
"""

from collections.abc import Iterator

import pytest

from apps.core.tenancy import DEFINER_FUNCTIONS
from tests.matrix import definers
from tests.matrix.cells import ROLES, VERBS, Table, complaints, look_at
from tests.matrix.owner import Owner
from tests.matrix.world import World

pytestmark = pytest.mark.commits

SAMPLE = "providers_credentials"
# What takes nothing away, because something else says the same.
IDLE = {
    "ALTER POLICY audit_entry_limited_staff_writes ON audit_entry WITH CHECK (true)": "audit_entry_staff_writes",
}
_POLICIES = """
SELECT policyname, coalesce(qual, ''), coalesce(with_check, ''), cmd FROM pg_policies
WHERE tablename = %s AND roles <> '{finops_owner}' ORDER BY 1
"""


def mutants_of(table: Table, owner: Owner) -> Iterator[str]:
    """Return the statements that each undo one part of the table's protection."""
    name = table.name
    yield f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY"
    for policy, using, check, verb in owner.connection.execute(_POLICIES, [name]).fetchall():
        yield f"DROP POLICY {policy} ON {name}"
        if {using, check} - {"", "true"}:
            opened = [
                part
                for part in ("USING (true)" if verb != "INSERT" else "", "WITH CHECK (true)" if check else "")
                if part
            ]
            yield f"ALTER POLICY {policy} ON {name} {' '.join(opened)}"
    for role in owner.column(ROLES):
        for verb in VERBS:
            columns = table.may[role, verb]
            if not columns:
                yield f"GRANT {verb} ON {name} TO {role}"
            elif owner.column("SELECT has_table_privilege(%s, %s, %s)", role, name, verb) == [True]:
                yield f"REVOKE {verb} ON {name} FROM {role}"
            else:
                yield from (f"REVOKE {verb} ({column}) ON {name} FROM {role}" for column in columns)
    for constraint, _target, _column in table.references:
        yield f"ALTER TABLE {name} DROP CONSTRAINT {constraint}"


def survivors(table: Table, world: World, owner: Owner) -> list[str]:
    """Return the mutants that no cell of the table notices."""
    unnoticed = []
    for mutant in mutants_of(table, owner):
        with owner.connection.transaction(force_rollback=True):
            owner.connection.execute(mutant)
            if mutant not in IDLE and next(complaints(table, world, owner.connection), None) is None:
                unnoticed.append(mutant)
    return unnoticed


@pytest.mark.long
def test_the_cells_have_nothing_to_complain_about(world: World, owner: Owner) -> None:
    """And every tenant table has some: what is expected is read from the catalogue, so that a new one is in here."""
    for name in owner.tenant_tables:
        table = look_at(name, world, owner)
        with owner.connection.transaction(force_rollback=True):
            assert list(complaints(table, world, owner.connection)) == []


def test_every_mutant_of_one_table_is_noticed(world: World, owner: Owner) -> None:
    before = owner.everything()
    table = look_at(SAMPLE, world, owner)
    assert len(list(mutants_of(table, owner))) > 15
    unnoticed = survivors(table, world, owner)
    assert not unnoticed, "\n".join(unnoticed)
    assert owner.everything() == before


@pytest.mark.prove
def test_every_mutant_is_noticed(world: World, owner: Owner) -> None:
    tables = [look_at(name, world, owner) for name in owner.tenant_tables]
    assert sum(len(list(mutants_of(table, owner))) for table in tables) > 800
    unnoticed = [mutant for table in tables for mutant in survivors(table, world, owner)]
    assert not unnoticed, "\n".join(unnoticed)


@pytest.mark.parametrize("function", sorted(DEFINER_FUNCTIONS))
def test_a_function_answers_whom_it_should_and_refuses_the_others(function: str, world: World, owner: Owner) -> None:
    named = definers.names(owner.connection)
    assert list(definers.complaints(function, named, world, owner.connection)) == []


@pytest.mark.prove
@pytest.mark.parametrize("function", sorted(DEFINER_FUNCTIONS))
def test_a_function_without_one_of_its_checks_is_noticed(function: str, world: World, owner: Owner) -> None:
    named = definers.names(owner.connection)
    unnoticed = []
    for mutant, definition in definers.weakened(function, owner.connection):
        with owner.connection.transaction(force_rollback=True):
            owner.connection.execute(definition)
            if next(definers.complaints(function, named, world, owner.connection), None) is None:
                unnoticed.append(mutant)
    assert not unnoticed, "\n".join(unnoticed)
