"""`make run`: the whole platform in the foreground of one terminal."""

from __future__ import annotations

import errno
import http.client
import os
import socket
import time
from collections.abc import Callable, Mapping

import psycopg

from finops.demo_file import read_demo, refresh_addresses
from finops.embedded import fit, ports, services
from finops.embedded.console import Console
from finops.embedded.engines import Engines
from finops.embedded.environment import (
    PROJECT,
    home_path,
    platform_environment,
    read_dotenv,
    require_embedded_settings,
    web_and_sandbox_port,
)
from finops.embedded.errors import EmbeddedError
from finops.embedded.home import Home
from finops.embedded.process import Command
from finops.embedded.supervisor import (
    Restarts,
    Supervisor,
    follow_parent,
    ignore_signals,
    interrupt_on_signals,
)

SANDBOX_SECONDS, READY_SECONDS = 60.0, 120.0


def run() -> int:
    """Start everything, stay in the foreground, end everything; return the exit code."""
    console = Console()
    interrupt_on_signals()
    if "MAKELEVEL" in os.environ:
        follow_parent()
    try:
        caller = {**read_dotenv(PROJECT / ".env"), **os.environ}
        Platform(console, caller).run()
    except KeyboardInterrupt:
        return 0
    except EmbeddedError as error:
        console.say(str(error))
        return 1
    except (OSError, psycopg.OperationalError) as error:
        if not _is_full_disk(error):
            raise
        console.say("The disk is full: make room, or set FINOPS_HOME to another disk.")
        return 1
    return 0


class Platform:
    """Everything that one `make run` has started."""

    def __init__(self, console: Console, caller: Mapping[str, str]) -> None:
        self.console = console
        self.caller = caller
        self.home = Home(home_path(caller))
        self.demo = self.home.path / "demo.json"
        self.web_port, self.sandbox_port = web_and_sandbox_port(caller)
        self.embedded_database, embedded_broker = not caller.get("DATABASE_URL"), not caller.get("REDIS_URL")
        if self.embedded_database or embedded_broker:
            require_embedded_settings(caller)
        self.engines = Engines(self.home, postgres=self.embedded_database, valkey=embedded_broker)
        self.environment: dict[str, str] = {}

    def run(self) -> None:
        """Bring the platform up, then look after it until interrupted."""
        if not self.home.is_claimed:
            self._require_ports()
        self.home.open()
        supervisor = Supervisor(self.console, held=self.home.held)
        try:
            if self.embedded_database:
                fit.require_fit(self.home, PROJECT)
            # In a home of ours what a killed run left may hold the ports until `open` has waited for its end.
            self._require_ports()
            self._start_sandbox(supervisor)
            self._start_engines()
            self._prepare_data(supervisor)
            self._start_services(supervisor)
            self._watch(supervisor)
        except KeyboardInterrupt:
            self.console.say("Stopping; data is kept.")
        finally:
            ignore_signals()
            supervisor.stop()
            self.engines.stop()
            self.home.close()
        self.console.say("Stopped.")

    def _require_ports(self) -> None:
        ports.require_free(self.web_port, setting="FINOPS_PORT")
        ports.require_free(self.sandbox_port, setting="FINOPS_SANDBOX_PORT")

    def _start_sandbox(self, supervisor: Supervisor) -> None:
        """Start it first: it needs none of the engines, and comes up beside them."""
        environment = platform_environment(self.caller, self.home)
        supervisor.start(services.sandbox(environment, port=self.sandbox_port))

    def _start_engines(self) -> None:
        if self.embedded_database:
            self.console.say(f"Starting the engines in {self.home.path}")
        self.engines.start()
        self.environment = platform_environment({**self.caller, **self.engines.environment}, self.home)
        if "DATABASE_OWNER_URL" not in self.environment:
            raise EmbeddedError("DATABASE_URL is set without DATABASE_OWNER_URL, which migrations need: set it, too.")

    def _prepare_data(self, supervisor: Supervisor) -> None:
        """Migrate and load the demo; a database of ours that has both is not asked again."""
        owner_url = self.environment["DATABASE_OWNER_URL"]
        is_current = self.embedded_database and fit.is_current(self.home, PROJECT, owner_url)
        if not is_current:
            self.console.say("Migrating the database")
            self._must_succeed(supervisor, services.migrate(self.environment))
            if self.embedded_database:
                fit.remember_fit(self.home, PROJECT)
        if not _await(supervisor, lambda: _accepts(self.sandbox_port), SANDBOX_SECONDS):
            raise EmbeddedError("The provider sandbox did not start: its output is above.")
        base_url, demo = self.environment["FINOPS_BASE_URL"], read_demo(self.demo)
        if not is_current or demo is None or demo["base_url"] != base_url:
            self.console.say("Loading the demo tenants")
            self._must_succeed(supervisor, services.load_demo(self.environment))
        refresh_addresses(
            self.demo,
            base_url=base_url,
            sandbox_url=self.environment["FINOPS_SANDBOX_URL"],
        )

    def _start_services(self, supervisor: Supervisor) -> None:
        self.console.say("Starting web, workers, stream and beat")
        # Web and worker count into one folder, so that /metrics shows both.
        counting = {**self.environment, "PROMETHEUS_MULTIPROC_DIR": str(self.home.emptied_folder("metrics"))}
        supervisor.start(services.web(counting, port=self.web_port))
        supervisor.start(services.worker(counting))
        supervisor.start(services.router(counting))
        supervisor.start(services.sender(counting))
        supervisor.start(services.stream(counting))
        supervisor.start(services.beat(self.environment))
        if _await(supervisor, lambda: _is_ready(self.web_port), READY_SECONDS):
            self._show_summary()
        else:
            self.console.say(f"Not ready after {READY_SECONDS:.0f} s: ask /readyz what is missing; still trying.")

    def _watch(self, supervisor: Supervisor) -> None:
        restarts = Restarts()
        while True:
            supervisor.tick(0.2)
            dead = self.engines.dead()
            if dead is not None and restarts.due is None:
                self.console.say(f"{dead} has ended, restarting in {restarts.schedule():.1f} s")
            if restarts.take():
                try:
                    self.engines.revive()
                except EmbeddedError as error:
                    self.console.say(str(error))

    def _must_succeed(self, supervisor: Supervisor, command: Command) -> None:
        code = supervisor.run_to_end(command)
        if code != 0:
            raise EmbeddedError(
                f"'{' '.join(command.arguments[1:])}' failed with exit code {code}, as shown above: "
                f"mend that, or start with new data by 'make reset'."
            )

    def _show_summary(self) -> None:
        demo = read_demo(self.demo)
        assert demo is not None
        base, staff = self.environment["FINOPS_BASE_URL"], demo["staff"]
        rows = [
            ("Platform", base),
            ("Admin", f"{base}/admin/"),
            ("API docs", f"{base}/api/v1/docs"),
            ("Sandbox", self.environment["FINOPS_SANDBOX_URL"]),
            ("Staff login", f"{staff['username']} / {staff['password']}"),
            ("  one-time code", f"make code (or TOTP secret {staff['totp_secret']} in an app)"),
        ]
        rows += [(f"API key of {tenant['slug']}", tenant["api_key"]) for tenant in demo["tenants"][:1]]
        rows += [("All of it", str(self.demo))]
        self.console.frame(rows, title="finops is ready. Ctrl-C stops everything; the data is kept.")


def _await(supervisor: Supervisor, condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        supervisor.tick(0.2)
    return True


def _accepts(number: int) -> bool:
    try:
        socket.create_connection((ports.HOST, number), timeout=1).close()
    except OSError:
        return False
    return True


def _is_ready(number: int) -> bool:
    connection = http.client.HTTPConnection(ports.HOST, number, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _is_full_disk(error: OSError | psycopg.OperationalError) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, psycopg.errors.DiskFull)
