"""`make code`: the staff user's current one-time code, without an authenticator app."""

from __future__ import annotations

import os
import sys
import time

from finops.demo_file import STEP_SECONDS, one_time_code, read_demo
from finops.embedded.environment import PROJECT, home_path, read_dotenv


def code() -> int:
    """Print the code on standard output, and what to know about it beside; return the exit code."""
    path = home_path({**read_dotenv(PROJECT / ".env"), **os.environ}) / "demo.json"
    demo = read_demo(path)
    if demo is None:
        print(f"There is no {path}: start the platform with 'make run' first.", file=sys.stderr)
        return 1
    now = time.time()
    print(one_time_code(demo["staff"]["totp_secret"], now))
    left = STEP_SECONDS - int(now) % STEP_SECONDS
    print(f"Another one in {left} s; each can be used once.", file=sys.stderr)
    return 0
