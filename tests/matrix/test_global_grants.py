"""Global tables: each role can do what the list in `apps.core.tenancy` says, and a grant that is changed is noticed."""

from collections.abc import Iterator

import pytest

from apps.core.tenancy import GLOBAL_TABLES
from tests.matrix.cells import ROLES, VERBS, can
from tests.matrix.owner import Owner
from tests.matrix.world import World

pytestmark = [pytest.mark.prove, pytest.mark.commits]

_KEY = """
SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE i.indisprimary AND i.indrelid = %s::regclass
"""


def allowed(table: str, role: str) -> set[str]:
    """Return the verbs that the list gives a role."""
    entry = GLOBAL_TABLES[table]
    reads = "SELECT" if entry.impersonator else ""
    given = {
        "finops_web": entry.login,
        "finops_worker": entry.login,
        "finops_app": entry.app,
        "finops_staff": entry.staff,
        "finops_staff_limited": entry.limited.privileges if entry.limited else "",
        "finops_system": entry.system,
        "finops_impersonator": reads,
        "finops_grantee": reads,
        "finops_verifier": "SELECT",
    }
    return {verb for verb in given[role].split(", ") if verb}


def cells(owner: Owner) -> Iterator[tuple[str, str, str, str]]:
    """Return table, key, role and verb of every cell."""
    for table in sorted(GLOBAL_TABLES):
        (key,) = owner.column(_KEY, table)
        yield from ((table, key, role, verb) for role in owner.column(ROLES) for verb in VERBS)


def test_each_role_can_do_what_the_list_says_and_no_more(world: World, owner: Owner) -> None:
    with owner.connection.transaction(force_rollback=True):
        wrong = [
            f"{role} {verb} {table}"
            for table, key, role, verb in cells(owner)
            if can(role, verb, table, key, world, owner.connection) != (verb in allowed(table, role))
        ]
    assert wrong == []


def test_each_grant_that_is_changed_is_noticed(world: World, owner: Owner) -> None:
    unnoticed, count = [], 0
    for table, key, role, verb in cells(owner):
        is_allowed = verb in allowed(table, role)
        change = f"REVOKE {verb} ON {table} FROM {role}" if is_allowed else f"GRANT {verb} ON {table} TO {role}"
        with owner.connection.transaction(force_rollback=True):
            owner.connection.execute(change)
            count += 1
            if can(role, verb, table, key, world, owner.connection) == is_allowed:
                unnoticed.append(change)
    assert count > 1000
    assert not unnoticed, "\n".join(unnoticed)
