"""`make code`: the staff user's current one-time code, without an authenticator app."""

from __future__ import annotations

import sys
import time

from finops.demo_file import STEP_SECONDS, NoDemo, one_time_code, running_demo


def code() -> int:
    """Print the code on standard output, and what to know about it beside; return the exit code."""
    try:
        demo = running_demo()
    except NoDemo as error:
        print(error, file=sys.stderr)
        return 1
    now = time.time()
    print(one_time_code(demo["staff"]["totp_secret"], now))
    left = STEP_SECONDS - int(now) % STEP_SECONDS
    print(f"Another one in {left} s; each can be used once.", file=sys.stderr)
    return 0
