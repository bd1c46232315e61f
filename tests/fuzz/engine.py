"""Schemathesis over the whole OpenAPI document, against this very code, served over HTTP from a thread.

Every check that it has is on. But where one request is to build on another, each finds the same world: its transaction
is rolled back, so that a run with the same seed sends the same requests and gets the same answers.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from django.core import signals
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, connections
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.schemas import BaseSchema
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.fuzz.explained import is_explained
from tests.matrix.calls import rolled_back

DOCUMENT = "/api/v1/openapi.json"
PHASES = ("examples", "coverage", "fuzzing")
# Phases in which a request goes on with what another has made: it is committed. What would take away the credentials
# that all requests share is left to the other phases.
BUILDING_PHASES = ("stateful",)
_ENDS_CREDENTIALS = r"/(api-keys|auth|members)(/|$)"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check objects to, with the request that shows it."""

    operation: str
    check: str
    objection: str
    answer: str
    request: str

    def __str__(self) -> str:
        return f"{self.operation}: {self.check}: {self.objection}\n    {self.request}\n    {self.answer}"


@dataclass(slots=True)
class Report:
    """What a run has sent, got and found; a finding is kept once an operation and objection."""

    statuses: Counter[int] = field(default_factory=Counter)
    tested: set[str] = field(default_factory=set)
    findings: dict[tuple[str, str, str], Finding] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def add(self, event: events.EngineEvent) -> None:
        """Take in what the engine says."""
        if isinstance(event, events.ScenarioFinished):
            self._add_scenario(event)
        elif isinstance(event, events.NonFatalError):
            self.errors.append(f"{event.label}: {event.info.format()}")
        elif isinstance(event, events.FatalError):
            raise event.exception

    def _add_scenario(self, scenario: events.ScenarioFinished) -> None:
        recorder = scenario.recorder
        for case_id, interaction in recorder.interactions.items():
            if interaction.response is None:
                continue
            self.statuses[interaction.response.status_code] += 1
            operation = recorder.cases[case_id].value.operation.label
            self.tested.add(operation)
            for check in recorder.checks.get(case_id, []):
                if check.failure_info is not None:
                    self._add_failure(operation, check, interaction.response)

    def _add_failure(self, operation: str, check: Any, response: Any) -> None:
        body = response.content or b""
        if is_explained(check.name, response.status_code, body):
            return
        objection = " ".join(check.failure_info.failure.message.split())[:300]
        answer = f"{response.status_code} {body[:600].decode(errors='replace')}"
        request = check.failure_info.code_sample[:600]
        key = (operation, check.name, objection[:60])
        self.findings.setdefault(key, Finding(operation, check.name, objection, answer, request))


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_arguments: Any) -> None:
        """Say nothing: the report does."""


@contextmanager
def served(*, commit: bool = False) -> Iterator[str]:
    """Serve the application on a port of its own, from one thread; return its address.

    Every request is rolled back unless they `commit`.
    """
    application = get_wsgi_application()

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        if commit:
            return application(environ, start_response)
        # The test client puts this back after each of its requests; inside a transaction it would close the connection.
        signals.request_started.disconnect(close_old_connections)
        signals.request_finished.disconnect(close_old_connections)
        with rolled_back():
            return application(environ, start_response)

    def serve() -> None:
        server.serve_forever(poll_interval=0.05)
        connections.close_all()

    server = make_server("127.0.0.1", 0, answer, request_handler=_Quiet)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fuzz(
    address: str, *, bearer: str, seed: int, examples: int, phases: tuple[str, ...], seconds: int | None = None
) -> Iterator[Report]:
    """Run the phases against a served document, at most `seconds` long; yield the report as it grows."""
    settings: Mapping[str, Any] = {
        "seed": seed,
        "workers": 1,
        "cache": {"enabled": False},
        "continue-on-failure": True,
        "phases": {name: {"enabled": name in phases} for name in PHASES + BUILDING_PHASES},
        "generation": {"max-examples": examples, "deterministic": seconds is None, "database": "none"},
        "headers": {"Authorization": f"Bearer {bearer}"} if bearer else {},
        **({"max-time": seconds} if seconds else {}),
    }
    schema: BaseSchema = schemathesis.openapi.from_url(
        address + DOCUMENT, config=SchemathesisConfig.from_dict(dict(settings))
    )
    if phases == BUILDING_PHASES:
        schema = schema.exclude(path_regex=_ENDS_CREDENTIALS)
    report = Report()
    for event in from_schema(schema).execute():
        report.add(event)
        yield report
