"""`python -m finops`: what the Makefile calls."""

from __future__ import annotations

import argparse
import sys


def main() -> int:
    """Dispatch to a command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m finops")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="start the whole platform in the foreground")
    commands.add_parser("reset", help="delete the embedded installation's data")
    commands.add_parser("tour", help="walk through the running platform as a client")
    commands.add_parser("code", help="print the demo staff user's current one-time code")
    manage = commands.add_parser("manage", help="run manage.py against the running platform")
    manage.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if sys.platform == "win32":
        sys.stderr.write("The embedded platform runs on Linux and macOS: on Windows use WSL or docker compose.\n")
        return 1
    # Each command imports what it needs alone: `reset` and `run` must work when Django cannot start.
    if options.command == "run":
        from finops.embedded.run import run

        return run()
    if options.command == "reset":
        from finops.embedded.reset import reset

        return reset()
    if options.command == "code":
        from finops.embedded.code import code

        return code()
    if options.command == "manage":
        from finops.embedded.manage import manage as run_manage

        return run_manage(options.arguments)
    from finops.tour import main as tour

    return tour()


if __name__ == "__main__":
    sys.exit(main())
