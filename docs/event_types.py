"""Writes docs/events.md and docs/event_schemas.json out of the catalogue: `make event-docs`.

The second file keeps the schema of each version of each type. What has been written there is relied upon: a schema that
breaks it without a new version is refused.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import django
from django.utils import translation

FOLDER = Path(__file__).resolve().parent
PAGE = FOLDER / "events.md"
SCHEMAS = FOLDER / "event_schemas.json"

# By type and, as text, by version.
Schemas = dict[str, dict[str, Any]]

_HEAD = """# Event types

Written by `make event-docs` out of the catalogue, which the rooms' `events.py` make up. Do not edit it.

Everything that happens to a tenant's things is an event of one of these types. `GET /api/v1/events` lists them in their
order, and a webhook endpoint is sent those that it asks for, as `{"type": …, "timestamp": …, "data": …}`. What
stands in `data` is told by the type's JSON Schema (2020-12): `GET /api/v1/webhooks/event-types/{type}` has it, with
this example. Decimals are strings in plain notation, times RFC 3339 in UTC, ids UUIDs.

Within a version, a schema may gain optional fields, and new types may come: ignore what you do not know. Whatever else
changes is a new version ([ADR 21](adr/0021-event-schemas.md)).
"""


def snapshot(kept: Schemas) -> Schemas:
    """Return what was kept, and today's schemas in their versions."""
    from apps.outbox.catalogue import event_types, schema
    from apps.outbox.evolution import relied_upon

    merged = {name: dict(versions) for name, versions in kept.items()}
    for name, found in event_types().items():
        merged.setdefault(name, {})[str(found.version)] = relied_upon(schema(name))
    return {name: merged[name] for name in sorted(merged)}


def problems(kept: Schemas) -> list[str]:
    """Return where the catalogue breaks what was kept, each with what to do about it."""
    from apps.outbox.catalogue import event_types, schema
    from apps.outbox.evolution import breaks

    found = [
        f"{name} is gone: types are relied upon; define it again" for name in sorted(set(kept) - set(event_types()))
    ]
    for name, now in sorted(event_types().items()):
        versions = kept.get(name, {})
        newest = max(map(int, versions), default=0)
        if now.version < newest:
            found.append(f"{name} is version {now.version}, but version {newest} was given out")
        elif str(now.version) in versions:
            found += [
                f"{name} {now.version}: {broken}; keep it as it was, or define the type with version={newest + 1}"
                for broken in breaks(versions[str(now.version)], schema(name))
            ]
        elif now.version != newest + 1:
            found.append(f"{name} is version {now.version}; the next one is {newest + 1}")
    return found


def page() -> str:
    """Return docs/events.md: the types by noun, then each payload with its fields and an example."""
    from apps.outbox.catalogue import event_types

    types = [event_types()[name] for name in sorted(event_types())]
    with translation.override(None):
        parts = [_HEAD]
        for noun, group in groupby(types, key=lambda found: found.name.partition(".")[0]):
            parts.append(f"## {noun}\n\n| Type | Version | When | Data |\n|---|---|---|---|")
            parts += [
                f"| `{found.name}` | {found.version} | {found.description} | {_link(found.payload)} |"
                for found in group
            ]
            parts.append("")
        parts += ["# What the data are\n"]
        payloads = {found.payload.__name__: found for found in reversed(types)}
        parts += [_payload(payloads[name]) for name in sorted(payloads)]
    return "\n".join(parts).rstrip() + "\n"


def _link(payload: type) -> str:
    return f"[{payload.__name__}](#{payload.__name__.lower()})"


def _payload(found: Any) -> str:
    from apps.outbox.catalogue import example, schema
    from apps.outbox.payloads import fields_of

    rows = [
        f"| `{field.path}` | {field.kind}{', optional' if field.is_optional else ''} | {field.text} |"
        for field in fields_of(schema(found.name))
    ]
    told = json.dumps(example(found.name), indent=2, ensure_ascii=False)
    return "\n".join(
        [
            f"## {found.payload.__name__}\n",
            f"{found.payload.__doc__}\n",
            "| Field | May be | What it holds |\n|---|---|---|",
            *rows,
            f"\nThe data of `{found.name}`, for example:\n",
            f"```json\n{told}\n```\n",
        ]
    )


def read() -> Schemas:
    """Return the schemas that were given out."""
    kept: Schemas = json.loads(SCHEMAS.read_text()) if SCHEMAS.exists() else {}
    return kept


def written(schemas: Mapping[str, Any]) -> str:
    """Return the text of docs/event_schemas.json: a line for each type."""
    lines = [f" {json.dumps(name)}: {json.dumps(versions)}" for name, versions in schemas.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> Iterable[str]:
    """Write both files and return nothing, or return why not."""
    kept = read()
    found = problems(kept)
    if not found:
        PAGE.write_text(page())
        SCHEMAS.write_text(written(snapshot(kept)))
    return found


if __name__ == "__main__":
    django.setup()
    sys.exit("\n".join(main()) or None)
