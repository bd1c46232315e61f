"""Log lines are readable on a terminal and plain in a file."""

import io
import json

import pytest

from finops.embedded.console import Console

pytestmark = pytest.mark.no_database


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class LostTerminal(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


def shown(line: str) -> str:
    screen = io.StringIO()
    Console(screen).line("web", line)
    return screen.getvalue()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("plain text\n", "web      │ plain text\n"),
        ("\n", ""),
        ("{not json", "web      │ {not json\n"),
        (
            '{"level": "WARNING", "event": "sync.failed", "tenant": "acme", "actor": null}',
            "web      │ WARNING sync.failed tenant=acme\n",
        ),
        ('{"level": "INFO", "event": "sync.started", "logger": "apps"}', "web      │ sync.started\n"),
        (
            '{"level": "ERROR", "event": "broke", "exc_info": "Traceback:\\nBoom"}',
            "web      │ ERROR broke\nweb      │   Traceback:\nweb      │   Boom\n",
        ),
    ],
)
def test_a_line_is_shown_as(line: str, expected: str) -> None:
    assert shown(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("\x1b[2Jgone\r\u202eback\ttab", "web      │ \\x1b[2Jgone\\r\\u202eback\ttab\n"),
        (
            json.dumps({"event": "Not Found: /\x1b[31mX\nweb      │ forged", "path": "/\u2028\u2066a\x85\x0b"}),
            "web      │ Not Found: /\\x1b[31mX\\nweb      │ forged path=/\\u2028\\u2066a\\x85\\x0b\n",
        ),
        ('{"event": "\\ud800", "k\\u001b": {"a": "\\u001b"}}', "web      │ \\ud800 k\\x1b={'a': '\\x1b'}\n"),
        (
            json.dumps({"level": "ERROR", "event": "e", "exc_info": "Boom\nERROR forged\x1b[31m\u2029x"}),
            "web      │ ERROR e\nweb      │   Boom\nweb      │   ERROR forged\\x1b[31m\\u2029x\n",
        ),
        ('{"a":' * 2000, "web      │ " + '{"a":' * 2000 + "\n"),
    ],
    ids=["plain", "fields", "surrogate", "traceback", "deep"],
)
def test_nothing_that_is_shown_can_steer_the_terminal_or_forge_a_line(line: str, expected: str) -> None:
    assert shown(line) == expected


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    screen = Terminal()
    Console(screen).line("web", "up")
    assert screen.getvalue() == "\x1b[32mweb     \x1b[0m │ up\n"
    monkeypatch.setenv("NO_COLOR", "1")
    screen = Terminal()
    Console(screen).line("web", "up")
    assert screen.getvalue() == "web      │ up\n"


def test_the_frame_fits_its_longest_row() -> None:
    screen = io.StringIO()
    Console(screen).frame([("Admin", "http://x/"), ("API key of acme", "k")], title="Ready")
    assert screen.getvalue() == (
        "\n┌────────────────────────────┐\n"
        "│ Ready                      │\n"
        "├────────────────────────────┤\n"
        "│ Admin            http://x/ │\n"
        "│ API key of acme  k         │\n"
        "└────────────────────────────┘\n\n"
    )


def test_the_frame_and_our_own_lines_carry_no_control_characters() -> None:
    screen = io.StringIO()
    Console(screen).frame([("Admin", "\x1b[31m")], title="Ready")
    Console(screen).say("a\x1b\nb")
    assert "│ Admin  \\x1b[31m │\n" in screen.getvalue()
    assert screen.getvalue().endswith("finops   │ a\\x1b\\nb\n")


def test_a_terminal_that_went_away_stops_nothing() -> None:
    console = Console(LostTerminal())
    console.say("one")
    console.say("two")
