"""What the audit log costs: order intake with its leaf and without any, and numbering with the tree and without it.

The peers are a server of ours that leaves the leaf out, and a sequencer that grows no tree, on the same database.
Nothing but this benchmark is ever run so.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter
from typing import Any

import psycopg

from apps.audit.services import AUDIT_LOG, record
from apps.core import clock
from apps.core.actor import Actor, system_actor
from apps.core.scope import write_scope
from apps.core.sequencing import BATCH_ROWS, sequence_pending
from apps.tenants.services import create_tenant
from benchmarks.orders import LASTING, TABLES, Desks, Turn, prepare_desks, require_durability, take_turn
from benchmarks.platform import process
from benchmarks.result import Result
from finops.embedded import ports, services

ROUNDS = 24
SECONDS = 1.0
SETTINGS = {"ours": "benchmarks.baselines.settings", "peer": "benchmarks.baselines.without_audit"}
BATCHES = 10


@dataclass(frozen=True, slots=True)
class Server:
    """A server that takes orders: where, and which process."""

    url: str
    pid: int


def audit_benchmark(environment: Mapping[str, str]) -> Iterator[Result]:
    """Measure approved orders a second with their leaves and without them, then leaves numbered a second."""
    desks = prepare_desks()
    with psycopg.connect(environment["DATABASE_OWNER_URL"], autocommit=True) as owner:
        require_durability(owner)
        yield _intake(environment, desks, owner)
        yield _numbering(desks)


def _intake(environment: Mapping[str, str], desks: Desks, owner: psycopg.Connection[Any]) -> Result:
    turns: dict[str, list[Turn]] = {name: [] for name in SETTINGS}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(_server(environment, name)) for name in SETTINGS}
        for server in servers.values():
            take_turn(server.url, desks, owner, server.pid, seconds=1.0)
        owner.execute("ANALYZE")
        for number in range(ROUNDS):
            # What comes first in a round would be at an advantage or not: they take turns at that, too.
            for name in sorted(SETTINGS, reverse=bool(number % 2)):
                server = servers[name]
                turns[name].append(take_turn(server.url, desks, owner, server.pid, seconds=SECONDS))
    for name, leaves in {"ours": 1.0, "peer": 0.0}.items():
        for turn in turns[name]:
            assert turn.rows == {**dict.fromkeys(TABLES, 1.0), "audit_entry": leaves}, turn.rows
    ours, peer = ([turn.rate for turn in turns[name]] for name in SETTINGS)
    pairs = [mine / theirs for mine, theirs in zip(ours, peer, strict=True)]
    cpu = {name: median(turn.cpu for turn in found) for name, found in turns.items()}
    notes = [
        f"the leaf costs {1 - median(pairs):.0%} of the orders a second (median of the rounds' own ratios)",
        f"web server's CPU per order: ours={cpu['ours']:.2f} ms peer={cpu['peer']:.2f} ms",
    ]
    return Result(name="audit", unit="orders/s", ours=ours, peer=peer, notes=notes)


@contextmanager
def _server(environment: Mapping[str, str], name: str) -> Iterator[Server]:
    port = ports.choose()
    command = services.web({**environment, **LASTING, "DJANGO_SETTINGS_MODULE": SETTINGS[name]}, port=port)
    base = f"http://127.0.0.1:{port}"
    with process(list(command.arguments[1:]), command.environment, ready=f"{base}/livez") as pid:
        yield Server(f"{base}/api/v1/orders", pid)


def _numbering(desks: Desks) -> Result:
    """Number leaves in batches as the sequencer does, with tiles and checkpoints in one log and without in another."""
    while sequence_pending(AUDIT_LOG, now=clock.now()):
        pass
    other = create_tenant(slug="counted", name="Counted", actor=system_actor("benchmark"), now=clock.now())
    logs = {
        "ours": (desks.actor, AUDIT_LOG),
        "peer": (system_actor("benchmark", tenant_id=other.id), replace(AUDIT_LOG, on_numbered=None)),
    }
    rates: dict[str, list[float]] = {name: [] for name in logs}
    for _batch in range(BATCHES):
        for name, (actor, stream) in logs.items():
            _leave(BATCH_ROWS, actor)
            started = perf_counter()
            sequence_pending(stream, now=clock.now())
            rates[name].append(BATCH_ROWS / (perf_counter() - started))
    notes = [f"batches of {BATCH_ROWS}; ours stores the tiles and signs a checkpoint in each"]
    return Result(name="audit-tree", unit="leaves/s", ours=rates["ours"], peer=rates["peer"], notes=notes)


def _leave(count: int, actor: Actor) -> None:
    """Record so many leaves in the actor's log."""
    with write_scope(actor):
        for number in range(count):
            record(action="bench.counted", actor=actor, target_type="bench", target_id=str(number), now=clock.now())
