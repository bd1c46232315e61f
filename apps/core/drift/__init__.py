"""Proves the database's own protection: what the catalogue holds is what the code declares, and nothing besides."""

from django.utils.translation import gettext_lazy as _

from apps.core.drift.protection import walk_functions, walk_grants, walk_policies, walk_tables, walk_triggers
from apps.core.drift.roles import walk_roles
from apps.core.drift.schema import walk_constraints
from apps.core.verification import Check, Over, register

register(
    Check(
        "database.constraints",
        _("Tables have the columns and constraints of their models"),
        _(
            "Every migration is applied; columns have their types, keys and constraints say what was declared, and "
            "they and the indexes are valid."
        ),
        _("definitions"),
        walk_constraints,
        Over.INSTALLATION,
    ),
    Check(
        "database.functions",
        _("Functions are those that were declared"),
        _("Each function has the declared body, owner and search path; nobody else may run it as its owner."),
        _("functions"),
        walk_functions,
        Over.INSTALLATION,
    ),
    Check(
        "database.grants",
        _("Nobody may do more than was declared"),
        _("Each role's privileges on every table, column and sequence are the declared ones."),
        _("grants"),
        walk_grants,
        Over.INSTALLATION,
    ),
    Check(
        "database.policies",
        _("Rows are seen by whom they are meant for"),
        _("Each row-level policy is there, for its roles, and means what was declared; there is no other one."),
        _("policies"),
        walk_policies,
        Over.INSTALLATION,
    ),
    Check(
        "database.roles",
        _("No role can pass by the policies"),
        _("No role of the platform is a superuser, bypasses row security or may become a role that it should not."),
        _("roles and memberships"),
        walk_roles,
        Over.INSTALLATION,
    ),
    Check(
        "database.tables",
        _("Row security is forced on every tenant table"),
        _("Each table has its owner and its row security; no table, view or rule is there that was not declared."),
        _("tables"),
        walk_tables,
        Over.INSTALLATION,
    ),
    Check(
        "database.triggers",
        _("What is append-only cannot be changed"),
        _("Each trigger is there and enabled, those that hold foreign keys too; there is no other one."),
        _("triggers"),
        walk_triggers,
        Over.INSTALLATION,
    ),
)
