"""Start the sandbox: `python -m sandbox --port 8010 --state DIR`."""

import argparse
import asyncio
import errno
import logging
import signal
import ssl
import sys
from pathlib import Path

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from sandbox.app import build_app
from sandbox.journal import UnableToOpenState
from sandbox.registry import PROVIDERS
from sandbox.world import World

LOOPBACK = "127.0.0.1"
GRACE_SECONDS = 2.0


class UnableToStart(Exception):
    """Raised with one sentence for the person who starts the sandbox."""


class ShortAccessLogger(AbstractAccessLogger):
    """Write one short line for each exchange."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Log method, path, status and milliseconds."""
        self.logger.info("%s %s %d %.0fms", request.method, request.path_qs, response.status, time * 1000)


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code."""
    options = _parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        asyncio.run(_serve(options))
    except (UnableToStart, UnableToOpenState) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="Simulate the providers' wire formats.")
    parser.add_argument("--port", type=int, default=8010)
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on (default: loopback only)")
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="directory that holds the state")
    parser.add_argument("--seed", type=int, help="seed of a new state (default 0)")
    parser.add_argument("--tls-cert", type=Path, help="server certificate (PEM): serve HTTPS")
    parser.add_argument("--tls-key", type=Path, help="its private key (PEM)")
    parser.add_argument("--client-ca", type=Path, help="CA of the client certificates that providers with mTLS require")
    return parser.parse_args(arguments)


async def _serve(options: argparse.Namespace) -> None:
    tls = _tls_context(options)
    world = World(
        options.state,
        seed=options.seed,
        requires_client_certificate=options.client_ca is not None,
        providers=PROVIDERS,
    )
    runner = web.AppRunner(
        build_app(world),
        access_log_class=ShortAccessLogger,
        shutdown_timeout=GRACE_SECONDS,
        handle_signals=False,
    )
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    try:
        await runner.setup()
        await _listen(runner, options, tls)
        await stopping.wait()
    finally:
        await runner.cleanup()
        world.close()


async def _listen(runner: web.AppRunner, options: argparse.Namespace, tls: ssl.SSLContext | None) -> None:
    site = web.TCPSite(runner, options.host, options.port, ssl_context=tls)
    try:
        await site.start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UnableToStart(f"Port {options.port} is in use: choose another with --port.") from error
        raise UnableToStart(f"Cannot listen on {options.host}:{options.port}: {error.strerror}.") from error
    logging.getLogger("sandbox").info(
        "sandbox ready on %s://%s:%d", "https" if tls else "http", options.host, options.port
    )


def _tls_context(options: argparse.Namespace) -> ssl.SSLContext | None:
    if bool(options.tls_cert) != bool(options.tls_key):
        raise UnableToStart("--tls-cert and --tls-key belong together.")
    if options.client_ca and not options.tls_cert:
        raise UnableToStart("--client-ca needs --tls-cert and --tls-key.")
    if not options.tls_cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(options.tls_cert, options.tls_key)
        if options.client_ca:
            context.load_verify_locations(options.client_ca)
            # Optional, so that no certificate gets the provider's documented 400, not a broken handshake.
            context.verify_mode = ssl.CERT_OPTIONAL
    except OSError as error:
        raise UnableToStart(f"The TLS files cannot be used: {error}.") from error
    return context


if __name__ == "__main__":
    sys.exit(main())
