"""What row-level security costs order intake: the same orders, with the policies and without them, in turns.

The peer is ourselves in a database whose tables let everybody see everything. Nothing but this scratch database, which
holds one tenant, is ever run so.
"""

from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

import psycopg

from benchmarks.orders import LASTING, Turn, prepare_desks, require_durability, require_same_rows, take_turn
from benchmarks.platform import process
from benchmarks.result import Result
from finops.embedded import ports, services

ROUNDS = 8
SECONDS = 3.0
_SECURED = "SELECT oid::regclass::text FROM pg_class WHERE relrowsecurity AND relkind IN ('r', 'p')"


def rls_benchmark(environment: Mapping[str, str]) -> Iterator[Result]:
    """Measure approved orders a second under the policies, and with row security off."""
    desks = prepare_desks()
    port = ports.choose()
    base = f"http://127.0.0.1:{port}"
    own = {**environment, **LASTING, "DJANGO_SETTINGS_MODULE": "benchmarks.baselines.settings"}
    command = services.web(own, port=port)
    turns: dict[str, list[Turn]] = {"ENABLE": [], "DISABLE": []}
    with (
        psycopg.connect(environment["DATABASE_OWNER_URL"], autocommit=True) as owner,
        process(list(command.arguments[1:]), command.environment, ready=f"{base}/livez") as server,
    ):
        require_durability(owner)
        tables = [name for (name,) in owner.execute(_SECURED).fetchall()]
        take_turn(f"{base}/api/v1/orders", desks, owner, server, seconds=1.0)
        owner.execute("ANALYZE")
        for number in range(ROUNDS):
            # What comes first in a round would be at an advantage or not: they take turns at that, too.
            for how in sorted(turns, reverse=bool(number % 2)):
                _switch(how, tables, owner)
                take_turn(f"{base}/api/v1/orders", desks, owner, server, seconds=0.3)  # statements are planned anew
                turns[how].append(take_turn(f"{base}/api/v1/orders", desks, owner, server, seconds=SECONDS))
        _switch("ENABLE", tables, owner)
    require_same_rows(turns)
    ours, peer = ([turn.rate for turn in turns[how]] for how in ("ENABLE", "DISABLE"))
    pairs = [mine / theirs for mine, theirs in zip(ours, peer, strict=True)]
    cpu = {how: median(turn.cpu for turn in found) for how, found in turns.items()}
    notes = [
        f"{len(tables)} tables with policies; median of the rounds' own ratios: {median(pairs):.2f}",
        f"web server's CPU per order: ours={cpu['ENABLE']:.2f} ms peer={cpu['DISABLE']:.2f} ms",
    ]
    yield Result(name="rls", unit="orders/s", ours=ours, peer=peer, notes=notes)


def _switch(how: str, tables: list[str], owner: psycopg.Connection[Any]) -> None:
    for name in tables:
        owner.execute(f"ALTER TABLE {name} {how} ROW LEVEL SECURITY")
