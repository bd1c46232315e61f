"""A RabbitMQ of the tests' own: on the loopback alone, with ports, cookie and data of its own, ended with its block."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from amqp import Connection
from amqp.exceptions import AMQPError

from tests.waiting import wait_until

PASSWORD = "of-the-tests"


def server() -> Path | None:
    """Return the server's script; packages install it beside its libraries, where any user may run it."""
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    return found[-1] if found and shutil.which("epmd") else None


class Rabbit:
    """One node; `start` after `stop` finds what the node kept."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.port, self._names_port, self._node_port = _free_ports(3)
        self.url = f"amqp://finops:{PASSWORD}@127.0.0.1:{self.port}//"
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the name server and the node, and wait until the node answers."""
        (self._home / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\ndefault_user = finops\ndefault_pass = {PASSWORD}\n"
        )
        with (self._home / "out.log").open("ab") as log:
            for command in (["epmd"], [str(server())]):
                process = subprocess.Popen(
                    command, env=self._environment(), stdout=log, stderr=log, start_new_session=True
                )
                self._processes.append(process)
        wait_until(self._answers, what="RabbitMQ's start", seconds=60)

    def stop(self) -> None:
        """Kill both, as a crash would."""
        while self._processes:
            process = self._processes.pop()
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)

    def queue_length(self, name: str) -> int:
        """Return how many messages wait in a queue, which must be a quorum queue."""
        with self._connection() as connection:
            arguments = {"x-queue-type": "quorum", "x-max-length": 10_000}
            channel = connection.channel()
            declared = channel.queue_declare(name, durable=True, auto_delete=False, arguments=arguments)
            assert declared is not None
            return declared[1]

    def delete_queues(self, *names: str) -> None:
        """Delete queues with what is in them: their consumers are told."""
        with self._connection() as connection:
            for name in names:
                connection.channel().queue_delete(name)

    def _connection(self) -> Connection:
        return Connection(f"127.0.0.1:{self.port}", userid="finops", password=PASSWORD, connect_timeout=2)

    def _answers(self) -> bool:
        try:
            with self._connection():
                return True
        except (OSError, AMQPError):
            return False

    def _environment(self) -> dict[str, str]:
        home = str(self._home)
        return {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "ERL_EPMD_PORT": str(self._names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": "finops@localhost",
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "RABBITMQ_MNESIA_BASE": f"{home}/data",
            "RABBITMQ_LOG_BASE": f"{home}/log",
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq.conf",
            "RABBITMQ_CONF_ENV_FILE": f"{home}/none",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/plugins",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }


@contextmanager
def running(home: Path) -> Iterator[Rabbit]:
    """Run a node for the block."""
    rabbit = Rabbit(home)
    try:
        rabbit.start()
        yield rabbit
    finally:
        rabbit.stop()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
