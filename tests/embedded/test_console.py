"""Log lines are readable on a terminal and plain in a file."""

import io

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
            "web      │ ERROR broke\nweb      │ Traceback:\nweb      │ Boom\n",
        ),
    ],
)
def test_a_line_is_shown_as(line: str, expected: str) -> None:
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


def test_a_terminal_that_went_away_stops_nothing() -> None:
    console = Console(LostTerminal())
    console.say("one")
    console.say("two")
