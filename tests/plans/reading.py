"""What the server did for each statement that it was sent: auto_explain tells it along with the answer.

So it is the very statement that the product sends, in its role, with its values or prepared, and what functions run.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection
from psycopg import sql

from tests.databases import Owner

_SETTINGS = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_format": "json",
    "auto_explain.log_level": "notice",
}
_ROLE = re.compile(r"finops_\w+")


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement as it was run; `role` is that of the scope, or of the process outside of any."""

    sql: str
    role: str
    root: Mapping[str, Any]

    @property
    def blocks(self) -> int:
        """How many blocks were looked at, of tables and indexes, in memory or not."""
        return int(self.root["Shared Hit Blocks"]) + int(self.root["Shared Read Blocks"])

    @property
    def tables(self) -> set[str]:
        """The tables that are read or written."""
        return {node["Relation Name"] for node in self.nodes() if "Relation Name" in node}

    def nodes(self) -> Iterator[Mapping[str, Any]]:
        """Every node of the plan."""
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(node.get("Plans", []))


def tell_plans(owner: Owner, database: str) -> None:
    """Have the server tell the plans to every connection that begins from now on."""
    for name, value in _SETTINGS.items():
        names = (sql.Identifier(part) for part in name.split("."))
        owner.execute(
            sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                sql.Identifier(database), sql.SQL(".").join(names), sql.Literal(value)
            )
        )


@contextmanager
def told_plans() -> Iterator[list[Plan]]:
    """Collect the plans of what Django's connection runs inside the block."""
    plans: list[Plan] = []
    roles = [""]

    def take(notice: Any) -> None:
        head, _, plan = notice.message_primary.partition("plan:\n")
        if not head.startswith("duration:"):
            return
        told = json.loads(plan)
        text, values = told["Query Text"], told.get("Query Parameters", "")
        if "set_config('role'" in text:
            found = _ROLE.search(values or text)
            roles.append(found[0] if found else "")
        plans.append(Plan(text, roles[-1], told["Plan"]))

    connection.ensure_connection()
    session = connection.connection
    session.add_notice_handler(take)
    yield plans
    assert connection.connection is session, "another connection would have told us nothing"
    session.remove_notice_handler(take)
